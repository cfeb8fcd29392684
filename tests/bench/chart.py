"""The chart of the CPU time that a message costs: a panel for each case, a bar for each server."""

from __future__ import annotations

import matplotlib as mpl
from matplotlib.figure import Figure

from bench.cases import CASES
from bench.report import digits
from bench.results import OURS
from bench.servers import PEERS

PANELS = ("small", "depth", "large", "tls")
COLOURS = {OURS: "#1f6feb", "ours-epoll": "#8db9f5"}
OTHERS = "#b9bec5"
INK = "#24292f"
FAINT = "#6e7781"
LINES = "#d8dee4"


def draw(results, peers, path):
    """Write it to `path`, whose name says in which format."""
    panels = [name for name in PANELS if any((name, peer) in results.samples for peer in peers)]
    # The same results are the same file; text stays text, in whatever font the reader has.
    with mpl.rc_context({"svg.hashsalt": "echoproto", "svg.fonttype": "none", "font.size": 9}):
        figure = Figure(figsize=(10, 8.4), layout="constrained", facecolor="white")
        figure.suptitle("CPU time of the server for each message, in µs", fontsize=11, color=INK)
        figure.supxlabel("logarithmic; less is better", color=FAINT)
        places = figure.subfigures(-(-len(panels) // 2), 2, squeeze=False, wspace=0.03).flatten()
        for place, name in zip(places, panels, strict=False):
            place.suptitle(CASES[name].title, x=0.02, ha="left", fontweight="bold", color=INK)
            draw_panel(place.subplots(), results, name, peers)
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


def draw_panel(axis, results, name, peers):
    """The cheapest is at the top."""
    costs = {
        peer: cpu * 1e6 for peer in peers if (cpu := results.median(name, peer, "cpu")) is not None
    }
    order = sorted(costs, key=costs.__getitem__)
    values = [costs[peer] for peer in order]
    bars = axis.barh(
        [PEERS[peer].label for peer in order],
        values,
        color=[COLOURS.get(peer, OTHERS) for peer in order],
        height=0.72,
    )
    axis.bar_label(bars, [digits(value) for value in values], padding=3, color=INK)
    axis.set_xscale("log")
    axis.xaxis.set_major_formatter("{x:g}")
    axis.xaxis.set_minor_formatter("")
    axis.set_xlim(values[0] / 2, values[-1] * 2.5)
    axis.invert_yaxis()
    axis.tick_params(axis="y", length=0, colors=INK)
    axis.tick_params(axis="x", colors=FAINT, which="both")
    axis.grid(visible=True, axis="x", color=LINES, linewidth=0.6)
    axis.set_axisbelow(True)
    axis.spines[["top", "right", "left"]].set_visible(False)
    axis.spines["bottom"].set_color(LINES)
    for label, peer in zip(axis.get_yticklabels(), order, strict=True):
        if peer == OURS:
            label.set_fontweight("bold")
