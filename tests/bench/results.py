"""What was measured, and what follows: medians, paired ratios, and which targets are reached."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median

OURS = "ours-uvloop"
STOCK = "stock"


@dataclass
class Results:
    """The samples of each peer in each case, one for each round; and why a peer has none."""

    samples: dict[tuple[str, str], list[dict[str, float]]] = field(default_factory=dict)
    left_out: dict[tuple[str, str], str] = field(default_factory=dict)

    def add(self, case, peer, sample):
        self.samples.setdefault((case, peer), []).append(sample)

    def leave_out(self, case, peer, why):
        """Also what was measured of it in earlier rounds: rounds are compared in pairs."""
        self.samples.pop((case, peer), None)
        self.left_out[case, peer] = why

    def values(self, case, peer, metric):
        return [sample[metric] for sample in self.samples.get((case, peer), []) if metric in sample]

    def median(self, case, peer, metric):
        """None where it was not measured."""
        values = self.values(case, peer, metric)
        return median(values) if values else None

    def ratios(self, case, metric, peer, reference):
        """`peer` over `reference`, each in the same round."""
        pairs = zip(
            self.values(case, peer, metric), self.values(case, reference, metric), strict=False
        )
        return [one / other for one, other in pairs if other]

    def ratio(self, case, metric, peer, reference):
        """The median of the rounds' ratios; None where there is none."""
        ratios = self.ratios(case, metric, peer, reference)
        return median(ratios) if ratios else None


@dataclass(frozen=True)
class Target:
    """`case`: `metric` of `peer`, over that of `other` if there is one, is to be within `limit`."""

    text: str
    case: str
    metric: str
    limit: float
    peer: str = OURS
    other: str | None = None
    at_least: bool = False

    def values(self, results):
        """What to compare with `limit`, of each round."""
        if self.other is None:
            return results.values(self.case, self.peer, self.metric)
        return results.ratios(self.case, self.metric, self.peer, self.other)

    def reached(self, value):
        return value >= self.limit if self.at_least else value <= self.limit


def times_better(text, case, limit):
    return Target(text, case, "cpu", limit, peer=STOCK, other=OURS, at_least=True)


TARGETS = [
    Target("64 B, one in flight: CPU per message, to C's", "small", "cpu", 1.25, other="c"),
    times_better("64 B, one in flight: times better than stock LineReceiver", "small", 3.5),
    Target("64 B, 100 in flight: CPU per message, to C's", "depth", "cpu", 1.6, other="c"),
    times_better("64 B, 100 in flight: times better than stock LineReceiver", "depth", 15),
    Target("16 KiB: CPU per message, to C's", "large", "cpu", 1.3, other="c"),
    Target("1,000 connections: p99, to Go's", "thousand", "p99", 1.0, other="go"),
    Target("10,000 idle connections: bytes of memory each", "idle", "memory", 2048),
    Target(
        "TLS: CPU per message, to asyncio Protocol's on uvloop",
        "tls",
        "cpu",
        1.0,
        other="protocol-uvloop",
    ),
]
