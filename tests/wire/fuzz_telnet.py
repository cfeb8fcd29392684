"""A coverage-guided fuzzer on the rules of `telnet_rules`: `make fuzz`, for ten minutes.

The input is a program: the first bytes choose policies and the mode, the next how the stream is
cut and what is asked for; the rest is the stream.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["echoproto.wire"]):
    from echoproto.wire.layer import Pipeline
    from echoproto.wire.telnet.codec import TelnetCodec
    from echoproto.wire.telnet.negotiation import Side
    from echoproto.wire.telnet.options import EACH_TIME, Option

sys.path.insert(0, str(Path(__file__).parents[1]))

from telnet_rules import (
    POLICIES,
    check_cuts,
    check_drops,
    check_encoding,
    check_pair,
    received,
    settle,
)

MODES = ["auto", "always", "never"]
OPTIONS = [*sorted(set(Option) - EACH_TIME), 255]


def one_input(data: bytes) -> None:
    choices = atheris.FuzzedDataProvider(data)
    of, and_of = choices.PickValueInList(POLICIES), choices.PickValueInList(POLICIES)
    mode = choices.PickValueInList(MODES)
    steps = [
        (
            choices.ConsumeIntInRange(0, 1),
            choices.PickValueInList(list(Side)),
            choices.PickValueInList(OPTIONS),
            choices.ConsumeBool(),
            choices.ConsumeIntInRange(0, 7),
        )
        for _ in range(choices.ConsumeIntInRange(0, 8))
    ]
    cuts = [choices.ConsumeIntInRange(0, 5) for _ in range(choices.ConsumeIntInRange(0, 6))]
    rest = choices.ConsumeBytes(choices.remaining_bytes())
    chunks = [rest[start : start + length] for start, length in pieces(cuts, len(rest))]

    check_cuts(lambda: TelnetCodec(of, mode=mode), chunks)
    check_drops(lambda: Pipeline([TelnetCodec(of, mode=mode), TelnetCodec(and_of)]), chunks)
    one, other = check_pair((of, and_of), steps)
    check_encoding(one, other, *chunks)
    settle([TelnetCodec(of), TelnetCodec(and_of)], [rest, rest[::-1]])
    received(TelnetCodec(of), rest, rest)


def pieces(cuts: list[int], total: int):
    start = 0
    for length in cuts:
        yield start, length
        start += length
    yield start, total


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
