"""Bytes on the wire in the words of telnet: `WILL NAWS`, `"hello" CR LF`, `SB TTYPE SEND SE`."""

from __future__ import annotations

import re

from echoproto.wire.telnet.commands import Command
from echoproto.wire.telnet.options import Option

# Options that have no meaning to us, but that clients name.
OTHERS = {32: "TSPEED", 36: "ENVIRON", 39: "NEW-ENVIRON"}

PIECE = re.compile(
    rb"\xff\xfa(?P<option>.)(?P<payload>(?:[^\xff]|\xff\xff)*)\xff\xf0"
    rb"|\xff(?P<negotiation>[\xfb-\xfe])(?P<of>.)"
    rb"|\xff(?P<command>[^\xff])"
    rb"|(?P<data>(?:[^\xff\n]|\xff\xff)*\n|(?:[^\xff\n]|\xff\xff)+)"
    rb"|(?P<cut>\xff)",
    re.DOTALL,
)


def in_words(data: bytes) -> str:
    """`data` in words: each command by itself, and each line."""
    return " · ".join(map(_piece, PIECE.finditer(data)))


def _piece(match: re.Match[bytes]) -> str:
    if (option := match["option"]) is not None:
        payload = match["payload"].replace(b"\xff\xff", b"\xff")
        return f"SB {_option(option)} {_payload(option[0], payload)} SE"
    if match["negotiation"]:
        return f"{Command(match['negotiation'][0]).name} {_option(match['of'])}"
    if match["command"]:
        code = match["command"][0]
        return Command(code).name if code in set(Command) else f"IAC {code}"
    if match["data"]:
        return _text(match["data"])
    return "IAC"


def _option(byte: bytes) -> str:
    code = byte[0]
    name = Option(code).name if code in set(Option) else OTHERS.get(code, str(code))
    return name.replace("_", "-")


def _payload(option: int, payload: bytes) -> str:
    if option == Option.NAWS:
        sizes = (payload[at : at + 2] for at in range(0, len(payload), 2))
        return " ".join(str(int.from_bytes(size)) for size in sizes)
    if option == Option.TTYPE:
        return " ".join(["SEND" if payload[:1] == b"\1" else "IS", _text(payload[1:])]).strip()
    return payload.hex(" ")


def _text(data: bytes) -> str:
    """Printable characters in quotes; others by name, or by number."""
    names = {b"\r": "CR", b"\n": "LF", b"\0": "NUL", b"\xff\xff": "IAC IAC"}
    return " ".join(
        f'"{word.decode()}"' if word[0] in range(0x20, 0x7F) else names.get(word, word.hex())
        for word in re.findall(rb"[ -~]+|\xff\xff|.", data, re.DOTALL)
    )
