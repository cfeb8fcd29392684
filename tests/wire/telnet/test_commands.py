"""The numbers of telnet's commands, and what the four of negotiation mean on each side."""

from __future__ import annotations

import pytest

from echoproto.wire.telnet.commands import NEGOTIATION_COMMAND, NEGOTIATION_MEANING, Command
from echoproto.wire.telnet.negotiation import Side


@pytest.mark.parametrize(
    ("names", "first"),
    [
        # RFC 854, page 14
        ("SE NOP DM BRK IP AO AYT EC EL GA SB WILL WONT DO DONT IAC", 240),
        ("EOF SUSP ABORT", 236),  # RFC 1184, section 2.1
        ("EOR", 239),  # RFC 885
    ],
)
def test_the_commands_have_the_numbers_of_their_rfc(names, first):
    assert [Command[name] for name in names.split()] == list(
        range(first, first + len(names.split()))
    )


def test_what_one_says_of_itself_the_other_hears_of_its_peer():
    other = {Side.LOCAL: Side.REMOTE, Side.REMOTE: Side.LOCAL}
    for (side, on), command in NEGOTIATION_COMMAND.items():
        assert NEGOTIATION_MEANING[command] == (other[side], on)
    assert len(NEGOTIATION_MEANING) == len(NEGOTIATION_COMMAND) == 4
