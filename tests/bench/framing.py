"""What framing costs: CPU time in proportion to the bytes, and beside Twisted's LineReceiver.

And what the echo of a chunk costs, without the writing.

Medians of ROUNDS runs; peers are run in turn, so that a change of the machine's speed meets both.
"""

from __future__ import annotations

from collections import deque
from statistics import median
from time import process_time

from twisted.internet.testing import StringTransport
from twisted.protocols.basic import LineReceiver

from echoproto.server.echo import EchoProtocol
from echoproto.server.protocol import LineProtocol

ROUNDS = 25
CHUNK = 64 * 1024


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


def cost(protocol_class, chunks, before):
    """Seconds of CPU that the protocol takes for `chunks`, after `before`."""
    protocol = protocol_class()
    transport = StringTransport()
    transport.write = deque(maxlen=1).append  # in C, as uvloop's is
    protocol.makeConnection(transport)
    protocol.dataReceived(before)
    start = process_time()
    for chunk in chunks:
        protocol.dataReceived(chunk)
    return process_time() - start


def compare(what, unit, count, chunks, *classes, before=b""):
    """Print, for each class, the median cost of one of `count` units; and last to first."""
    costs = {one: [] for one in classes}
    for _ in range(ROUNDS):
        for one in classes:
            costs[one].append(cost(one, chunks, before))
    medians = {one.__name__: median(costs[one]) / count * 1e9 for one in classes}
    shown = ", ".join(f"{name} {value:8.1f}" for name, value in medians.items())
    # Of each pair: what slows the machine for a while slows both.
    pairs = zip(costs[classes[-1]], costs[classes[0]], strict=True)
    ratio = median(last / first for last, first in pairs)
    print(f"{what:38} {shown} ns a {unit}, ratio {ratio:.1f}")


def main():
    for size in (1 << 18, 1 << 20):
        compare(f"a drip of {size >> 10} KiB, one line", "byte", size, [b"x"] * size, Ours)
    for size in (CHUNK // 4, CHUNK // 2, CHUNK):
        compare(f"a chunk of {size >> 10} KiB of empty lines", "line", size, [b"\n" * size], Ours)
    for name, end in (("CR LF", b"\r\n"), ("LF", b"\n")):
        line = b"x" * (64 - len(end)) + end
        count = CHUNK // 64
        chunk = line * count
        stock = type("Stock", (Stock,), {"delimiter": end})
        for method, mixins in (("doing nothing", ()), ("counting", (Counting,))):
            classes = [type(one.__name__, (*mixins, one), {}) for one in (Ours, Loop, stock)]
            what = f"64-byte lines, {name}, {method}"
            compare(what, "line", 8 * count, [chunk] * 8, *classes, before=chunk)
        for count in (1, 100):
            chunks = [line * count] * 2000
            compare(f"echo, {64 * count} bytes, {name}", "chunk", 2000, chunks, EchoProtocol, Bare)
    empty = [b"\r\n" * (CHUNK // 2)]
    compare("a 64 KiB chunk of empty lines", "line", CHUNK // 2, empty, Ours, Stock)
    drip = [b"x"] * (1 << 14)
    compare("a drip of 16 KiB, one line", "byte", 1 << 14, drip, Ours, Stock)


main()
