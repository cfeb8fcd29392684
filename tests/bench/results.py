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
    """`case`: `metric` of ours, over that of `other` if there is one, is to be `limit` or less."""

    text: str
    case: str
    limit: float
    other: str | None = None
    metric: str = "cpu"

    def values(self, results):
        """What to compare with `limit`, of each round."""
        if self.other is None:
            return results.values(self.case, OURS, self.metric)
        return results.ratios(self.case, self.metric, OURS, self.other)


TARGETS = [
    Target("64 B, one in flight: CPU per message, to C's", "small", 1.25, "c"),
    Target(
        "64 B, one in flight: CPU per message, to asyncio Protocol's on uvloop",
        "small",
        1.08,
        "protocol-uvloop",
    ),
    Target("64 B, 100 in flight: CPU per message, to C's", "depth", 1.35, "c"),
    Target("16 KiB: CPU per message, to C's", "large", 1.05, "c"),
    Target("Connect, echo, close: CPU per connection, to C's", "connect", 3, "c"),
    Target(
        "TLS, 64 B: CPU per message, to asyncio Protocol's on uvloop",
        "tls",
        1.0,
        "protocol-uvloop",
    ),
    Target("10,000 idle connections: bytes of memory each", "idle", 1792, metric="memory"),
    Target("`echoproto bench`: its own CPU per message, to a C client's", "client", 1.4, "c"),
]
