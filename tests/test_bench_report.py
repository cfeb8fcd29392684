"""What `make bench` says of its samples: ratios are paired by round, and targets are computed."""

from __future__ import annotations

from bench.cases import CASES
from bench.report import table, targets
from bench.results import Results


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


def test_a_target_that_is_missed_is_said_to_be_missed():
    text = targets(results_of(ours_uvloop=[5, 5, 5], c=[4, 4, 2]))
    assert row_of(text, "one in flight: CPU per message, to C's") == (
        "| 64 B, one in flight: CPU per message, to C's | \u2264 1.25 | 1.25 | 1.25 to 2.50 | yes |"
    )
    missed = targets(results_of(ours_uvloop=[6], c=[4]))
    assert row_of(missed, "one in flight: CPU per message, to C's").endswith(
        "| 1.50 | 1.50 to 1.50 | **no** |"
    )


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


def test_where_clients_are_compared_they_are_called_what_they_are():
    results = Results()
    for peer, cost in (("c", 2), ("ours-uvloop", 3)):
        results.add("client", peer, {"cpu": cost, "rate": 1 / cost})
    (text,) = table(results, CASES["client"], ["ours-uvloop", "c"])
    assert [line.split(" | ")[0] for line in text.splitlines()[2:]] == [
        "| C, epoll, checks nothing",
        "| **echoproto bench**",
    ]
    assert row_of(targets(results), "a C client's").endswith("| 1.50 | 1.50 to 1.50 | **no** |")
