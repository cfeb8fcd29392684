"""What `make bench` says of its samples: ratios are paired by round, and targets are computed."""

from __future__ import annotations

from bench.cases import CASES
from bench.report import table, targets
from bench.results import Results, Target


def results_of(**rounds):
    """Results of the case "small": for each peer its CPU seconds, round by round."""
    results = Results()
    for peer, costs in rounds.items():
        for cost in costs:
            sample = {"cpu": cost, "rate": 1 / cost, "p50": 1e-3, "p99": 2e-3}
            results.add("small", peer.replace("_", "-"), sample)
    return results


def row_of(text, label):
    return next(line for line in text.splitlines() if label in line)


def test_a_ratio_compares_what_was_measured_in_the_same_round():
    # The machine was four times as slow in the second round: medians would give 5 / 4.
    results = results_of(ours_uvloop=[2, 8, 5], c=[1, 4, 10])
    assert results.ratio("small", "cpu", "ours-uvloop", "c") == 2


def test_a_peer_that_fails_in_a_later_round_has_no_figures_but_a_reason():
    results = results_of(c=[1, 1], gevent=[2])
    results.leave_out("small", "gevent", "64 bytes lost")
    (_, left_out) = table(results, CASES["small"], ["c", "gevent"])
    assert left_out == "Left out: gevent: 64 bytes lost."
    assert results.ratio("small", "cpu", "gevent", "c") is None


def test_a_limit_is_reached_by_what_is_equal_to_it():
    at_most = Target("", "small", "cpu", 1.25, other="c")
    assert at_most.reached(1.25)
    assert not at_most.reached(1.26)
    at_least = Target("", "small", "cpu", 3.5, other="c", at_least=True)
    assert at_least.reached(3.5)
    assert not at_least.reached(3.4)


def test_a_target_that_is_missed_is_said_to_be_missed():
    text = targets(results_of(ours_uvloop=[5, 5, 5], c=[4, 4, 2], stock=[16, 18, 20]))
    assert row_of(text, "to C's") == (
        "| 64 B, one in flight: CPU per message, to C's | \u2264 1.25 | 1.25 | 1.25 to 2.50 | yes |"
    )
    assert row_of(text, "times better") == (
        "| 64 B, one in flight: times better than stock LineReceiver "
        "| \u2265 3.5 | 3.60 | 3.20 to 4.00 | yes |"
    )
    missed = targets(results_of(ours_uvloop=[6], c=[4], stock=[18]))
    assert row_of(missed, "to C's").endswith("| 1.50 | 1.50 to 1.50 | **no** |")
    assert row_of(missed, "times better").endswith("| 3.00 | 3.00 to 3.00 | **no** |")


def test_a_target_without_figures_is_not_measured():
    assert all(line.endswith("| not measured |") for line in targets(Results()).splitlines()[2:])


def test_a_table_begins_with_the_cheapest():
    (text,) = table(
        results_of(stock=[8], ours_uvloop=[2], c=[1]), CASES["small"], ["ours-uvloop", "stock", "c"]
    )
    assert [line.split(" | ")[0] for line in text.splitlines()[2:]] == [
        "| C, epoll",
        "| **echoproto, uvloop reactor**",
        "| Twisted LineReceiver",
    ]
    assert row_of(text, "echoproto").endswith("| 2.00 x | 4.00 x |")
