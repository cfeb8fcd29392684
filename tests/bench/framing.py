"""What framing costs: CPU time in proportion to the bytes, and beside Twisted's LineReceiver.

Medians of ROUNDS runs; peers are run in turn, so that a change of the machine's speed meets both.
"""

from __future__ import annotations

from statistics import median
from time import process_time

from twisted.internet.testing import StringTransport
from twisted.protocols.basic import LineReceiver

from echoproto.server.protocol import LineProtocol

ROUNDS = 5
CHUNK = 64 * 1024


class CountLines:
    count = 0

    def lineReceived(self, line):  # noqa: ARG002
        self.count += 1


class Ours(CountLines, LineProtocol):
    MAX_LENGTH = 1 << 30


class Stock(CountLines, LineReceiver):
    MAX_LENGTH = 1 << 30


def cost(protocol_class, chunks):
    """Seconds of CPU that the protocol takes for `chunks`."""
    protocol = protocol_class()
    protocol.makeConnection(StringTransport())
    start = process_time()
    for chunk in chunks:
        protocol.dataReceived(chunk)
    return process_time() - start


def compare(what, unit, count, chunks, *classes):
    """Print, for each class, the median cost of one of `count` units."""
    costs = {one: [] for one in classes}
    for _ in range(ROUNDS):
        for one in classes:
            costs[one].append(cost(one, chunks))
    medians = {one.__name__: median(costs[one]) / count * 1e9 for one in classes}
    shown = ", ".join(f"{name} {value:8.1f}" for name, value in medians.items())
    ratio = f"  ratio {medians['Stock'] / medians['Ours']:6.1f}" if "Stock" in medians else ""
    print(f"{what:44} {shown} ns a {unit}{ratio}")


def main():
    for size in (1 << 18, 1 << 20):
        compare(f"a drip of {size >> 10} KiB, one line", "byte", size, [b"x"] * size, Ours)
    for size in (CHUNK // 4, CHUNK // 2, CHUNK):
        compare(f"a chunk of {size >> 10} KiB of empty lines", "line", size, [b"\n" * size], Ours)
    lines = [(b"x" * 62 + b"\r\n") * (CHUNK // 64)] * 8
    compare("64 KiB chunks of 64-byte lines", "line", 8 * CHUNK // 64, lines, Ours, Stock)
    empty = [b"\r\n" * (CHUNK // 2)]
    compare("a 64 KiB chunk of empty lines", "line", CHUNK // 2, empty, Ours, Stock)
    drip = [b"x"] * (1 << 14)
    compare("a drip of 16 KiB, one line", "byte", 1 << 14, drip, Ours, Stock)


main()
