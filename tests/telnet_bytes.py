"""Telnet as bytes, for all tests: commands with their IAC; verbs and options without."""

from __future__ import annotations

from echoproto.wire.telnet.commands import Command
from echoproto.wire.telnet.options import Option

IAC, WILL, WONT, DO, DONT = (
    bytes([Command[name]]) for name in ("IAC", "WILL", "WONT", "DO", "DONT")
)
SB, SE, EOF, ABORT, NOP, DM, BRK, IP, AO, AYT, EC, EL = (
    IAC + bytes([Command[name]])
    for name in ("SB", "SE", "EOF", "ABORT", "NOP", "DM", "BRK", "IP", "AO", "AYT", "EC", "EL")
)
GA, EOR = (IAC + bytes([Command[name]]) for name in ("GA", "EOR"))
BINARY, ECHO, SGA, TIMING_MARK, TTYPE, NAWS = (
    bytes([Option[name]]) for name in ("BINARY", "ECHO", "SGA", "TIMING_MARK", "TTYPE", "NAWS")
)
CHARSET, END_OF_RECORD = (bytes([Option[name]]) for name in ("CHARSET", "END_OF_RECORD"))
UNKNOWN = b"\x63"  # an option that nobody agrees to

# The shortest greeting that shows telnet, and what refuses it.
HELLO, NO_THANKS = IAC + WILL + ECHO, IAC + DONT + ECHO

# What PuTTY sends when it connects, and what it is answered.
PUTTY = bytes.fromhex("fffb1f fffb20 fffb18 fffb27 fffd01 fffb03 fffd03")
TO_PUTTY = bytes.fromhex(
    "fffd1f fffe20 fffd18 fffa1801fff0 fffe27 fffc01 fffe03 fffc03"  # and asks for TTYPE
)
