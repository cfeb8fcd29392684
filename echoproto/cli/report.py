"""Shows a bench to the user: a progress bar while it runs, then a table, and a plot on request."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from matplotlib.axes import Axes

    from echoproto.client.bench import Result

_BAR_STEPS: Final = 1000
_STALL: Final = 0.01  # seconds; shorter ones are usual on a busy machine
_UNITS: Final = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))
_COLOUR: Final = "#2a6f97"
_PERCENTILES: Final = (0, 50, 75, 90, 99, 99.9, 99.99, 99.999, 99.9999, 99.99999)
_BUCKETS: Final = 100  # intervals of the throughput plot


@contextmanager
def progress(duration: float) -> Iterator[Callable[[float, int], None]]:
    """Show a progress bar on standard error.

    Returns the function that updates the bar. It takes the seconds since the start and the number
    of answered messages.
    """
    from prompt_toolkit.input import create_pipe_input
    from prompt_toolkit.output.vt100 import Vt100_Output
    from prompt_toolkit.shortcuts import ProgressBar
    from prompt_toolkit.shortcuts.progress_bar import ProgressBarCounter, formatters

    output = Vt100_Output.from_pty(sys.stderr)
    # The bar does not need the position of the cursor. It reads no keys, so that Ctrl-C still makes
    # the terminal send SIGINT.
    output.enable_cpr = False
    with (
        create_pipe_input() as no_input,
        ProgressBar(
            formatters=[formatters.Bar(), formatters.Text(" "), formatters.Label()],
            input=no_input,
            output=output,
        ) as bar,
    ):
        counter: ProgressBarCounter[object] = bar(label="connecting", total=_BAR_STEPS)

        def update(seconds: float, messages: int) -> None:
            counter.items_completed = min(round(seconds / duration * _BAR_STEPS), _BAR_STEPS)
            counter.label = f"{seconds:.1f} s, {messages / seconds:,.0f} messages/s"

        yield update


def table(result: Result) -> str:
    """Return the result as lines of text."""
    lines = [
        _heading(result),
        "",
        f"messages {result.messages:16,} {result.messages_per_second:16,.0f} messages/s",
        f"bytes    {result.bytes:16,} {result.megabytes_per_second:16,.2f} MB/s",
        f"errors   {sum(result.errors.values()):16,}",
        f"lost     {result.lost_bytes:16,} bytes",
        f"not sent {result.unsent_bytes:16,} bytes",
        f"wrong    {result.wrong_bytes:16,} bytes",
        "",
    ]
    lines += [
        f"{'latency' if name == 'mean' else '':8} {name:6} {_time(seconds):>9}"
        for name, seconds in result.latency.items()
        if seconds is not None
    ]
    if result.longest_stall >= _STALL:
        stall = f"The client itself stood still for up to {_time(result.longest_stall)}"
        lines.append(f"\n{stall}: latencies up to that may be its own.")
    return "\n".join(lines).rstrip()


def plot(
    file: str,
    result: Result,
    curve: Sequence[tuple[float, float]],
    samples: Sequence[tuple[float, int]],
) -> None:
    """Draw latency by percentile and messages per second over time into `file`.

    The suffix of `file` selects the format. `curve` is the result of `Latencies.curve`, and
    `samples` that of `Bench.samples`. Raises OSError if the file cannot be written.
    """
    from matplotlib.figure import Figure  # slow to import, and installed only with the extra

    figure = Figure(figsize=(9, 8), dpi=150, layout="constrained")
    figure.suptitle(f"{_heading(result)}\n")
    latency, throughput = figure.subplots(2, 1)
    for axes in (latency, throughput):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(color="0.9")
        axes.set_axisbelow(True)
    _plot_latency(latency, result.messages, curve)
    _plot_throughput(throughput, samples)
    figure.savefig(file)


def _plot_latency(axes: Axes, messages: int, curve: Sequence[tuple[float, float]]) -> None:
    """Plot as HdrHistogram does: the axis gives equal space to 90 to 99 % and 99 to 99.9 %."""
    from matplotlib.ticker import LogLocator

    axes.set(title="Latency", xlabel="percentile", xscale="log", yscale="log")
    # The slowest of n messages is at 1 - 1/n, because 100 % would be infinitely far away.
    last = max(messages, 10)

    def place(percent: float) -> float:
        rest = 100 - percent
        return min(100 / rest, last) if rest else last

    axes.plot([place(p) for p, _ in curve], [seconds for _, seconds in curve], color=_COLOUR, lw=2)
    shown = [percent for percent in _PERCENTILES if 100 / (100 - percent) <= last]
    axes.set_xlim(1, last)
    axes.set_xticks([place(percent) for percent in shown], [f"{percent} %" for percent in shown])
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(lambda seconds, _: _time(seconds))
    axes.minorticks_off()


def _plot_throughput(axes: Axes, samples: Sequence[tuple[float, int]]) -> None:
    axes.set(title="Throughput", xlabel="seconds", ylabel="messages per second")
    bucket = samples[-1][0] / _BUCKETS
    edges = [samples[0]]
    for sample in samples:
        if sample[0] - edges[-1][0] >= bucket * 0.99:
            edges.append(sample)
    rates = [(after - before) / (end - start) for (start, before), (end, after) in pairwise(edges)]
    times = [seconds for seconds, _ in edges]
    axes.stairs(rates, times, color=_COLOUR, fill=True, alpha=0.2)
    axes.stairs(rates, times, color=_COLOUR, baseline=None, lw=2)
    axes.set_xlim(0, edges[-1][0])
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter("{x:,.0f}")


def _heading(result: Result) -> str:
    if result.session:
        return (
            f"{result.target}: {result.connections:,} connections, a message is one run of "
            f"{result.session}, {result.duration:.1f} s"
        )
    rate = f", {result.rate:,g} messages/s due" if result.rate else ""
    return (
        f"{result.target}: {result.connections:,} connections, depth {result.depth:,}, "
        f"{result.size:,} bytes a message{rate}, {result.duration:.1f} s"
    )


def _time(seconds: float) -> str:
    unit, name = next((u for u in _UNITS if seconds >= 0.9995 * u[0]), _UNITS[-1])
    return f"{seconds / unit:.3g} {name}"
