"""What lines cost: `LineProtocol` beside Twisted's LineReceiver, by how many lines a chunk has.

And what is to be in proportion to the bytes, and the echo of a chunk, without the writing.

Medians of ROUNDS runs; peers are run in turn, so that a change of the machine's speed meets both.
"""

from __future__ import annotations

from collections import deque
from statistics import median
from time import process_time

from twisted.internet.testing import StringTransport
from twisted.protocols.basic import LineReceiver

from echoproto.server.connection import ServerConnection
from echoproto.server.echo import EchoProtocol
from echoproto.server.protocol import LineProtocol

ROUNDS = 25
CHUNK = 64 * 1024
ENDS = {"CR LF": b"\r\n", "LF": b"\n"}
LINES = 4000
"""Lines in a run, or a few more."""

WANTED = {1: 1.3, 2: None, 5: None, 10: None, 100: 0.25, 1000: None}
"""By the lines in a chunk: the most that LineProtocol's time is to be, as a part of stock's."""


class Ours(LineProtocol):
    """With a `lineReceived` that does nothing: so it is LineProtocol alone that is measured."""

    MAX_LENGTH = 1 << 30

    def lineReceived(self, line):
        pass


class Stock(LineReceiver):
    MAX_LENGTH = 1 << 30
    lineReceived = Ours.lineReceived


class Loop(Stock):
    """The least that Python can do: split the chunk, and call lineReceived. No contract is kept."""

    def dataReceived(self, data):
        for line in data.splitlines():
            if self.lineReceived(line):
                break


class Counting:
    """A `lineReceived` that does next to nothing."""

    count = 0

    def lineReceived(self, line):  # noqa: ARG002
        self.count += 1


class Bare(LineReceiver):
    """The least that an echo can do."""

    def dataReceived(self, data):
        self.transport.write(data)


def Echo():
    return ServerConnection(EchoProtocol())


def OnConnection():
    """As it is where a reactor has accepted it, but for the reactor."""
    return ServerConnection(Ours())


def line_and_stock(end):
    """A line of 64 bytes, and a LineReceiver for it."""
    return b"x" * (64 - len(end)) + end, type("Stock", (Stock,), {"delimiter": end})


def cost(make, chunks, before):
    """Seconds of CPU that the protocol takes for `chunks`, after `before`."""
    protocol = make()
    transport = StringTransport()
    transport.write = deque(maxlen=1).append  # in C, as uvloop's is
    protocol.makeConnection(transport)
    protocol.dataReceived(before)
    start = process_time()
    for chunk in chunks:
        protocol.dataReceived(chunk)
    return process_time() - start


def costs_of(chunks, *makers, before=b""):
    """For each maker the costs of its runs."""
    costs = {make: [] for make in makers}
    for _ in range(ROUNDS):
        for make in makers:
            costs[make].append(cost(make, chunks, before))
    return costs.values()


def ratio(costs, others):
    """Of each pair: what slows the machine for a while slows both."""
    return median(one / other for one, other in zip(costs, others, strict=True))


def compare(what, unit, count, chunks, *makers, before=b""):
    """Print, for each maker, the median cost of one of `count` units; and last to first."""
    costs = list(costs_of(chunks, *makers, before=before))
    medians = [
        f"{make.__name__} {median(each) / count * 1e9:8.1f}"
        for make, each in zip(makers, costs, strict=True)
    ]
    print(f"{what:38} {', '.join(medians)} ns a {unit}, ratio {ratio(costs[-1], costs[0]):.1f}")


def show_lines_a_chunk():
    """The usual case is one line a chunk: a request, and then its reply."""
    print(f"{'lines of 64 bytes, ns each':38}   Ours  Stock  ratio  wanted  on ServerConnection")
    for name, end in ENDS.items():
        line, stock = line_and_stock(end)
        for count, wanted in WANTED.items():
            chunks = [line * count] * -(-LINES // count)
            costs = list(costs_of(chunks, Ours, stock, OnConnection, before=line))
            each = [median(some) / (count * len(chunks)) * 1e9 for some in costs]
            part, on_connection = ratio(costs[0], costs[1]), ratio(costs[2], costs[1])
            limit, missed = "", ""
            if wanted is not None:
                limit, missed = f"<= {wanted}", "missed" if part > wanted else "reached"
            print(
                f"{f'{count} a chunk, {name}':38} {each[0]:6.0f} {each[1]:6.0f} {part:6.2f} "
                f"{limit:>7} {missed:7} {on_connection:13.2f}"
            )


def main():
    show_lines_a_chunk()
    for size in (1 << 16, 1 << 18):
        compare(f"a drip of {size >> 10} KiB, one line", "byte", size, [b"x"] * size, Ours)
    for size in (CHUNK // 4, CHUNK // 2, CHUNK):
        compare(f"a chunk of {size >> 10} KiB of empty lines", "line", size, [b"\n" * size], Ours)
    for name, end in ENDS.items():
        line, stock = line_and_stock(end)
        count = CHUNK // 64
        chunk = line * count
        for method, mixins in (("doing nothing", ()), ("counting", (Counting,))):
            classes = [type(one.__name__, (*mixins, one), {}) for one in (Ours, Loop, stock)]
            what = f"64-byte lines, {name}, {method}"
            compare(what, "line", 8 * count, [chunk] * 8, *classes, before=chunk)
        for count in (1, 100):
            chunks = [line * count] * 2000
            compare(f"echo, {64 * count} bytes, {name}", "chunk", 2000, chunks, Echo, Bare)
    empty = [b"\r\n" * (CHUNK // 2)]
    compare("a 64 KiB chunk of empty lines", "line", CHUNK // 2, empty, Ours, Stock)
    drip = [b"x"] * (1 << 14)
    compare("a drip of 16 KiB, one line", "byte", 1 << 14, drip, Ours, Stock)


main()
