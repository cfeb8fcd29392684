"""Raw mode, and pauses, on connections that are telnet or may become it."""

from __future__ import annotations

from echoproto.wire.telnet.commands import Command
from telnet_bytes import (
    AYT,
    DO,
    EC,
    EL,
    HELLO,
    IAC,
    NO_THANKS,
    NOP,
    SGA,
    TIMING_MARK,
    WILL,
    WONT,
)
from telnet_clients import Recorder, connected

RAW = b"\xff\xfb\x01binary\xff\xff\xff\xf6\r\0\xff"


def test_raw_data_on_a_plain_connection_is_not_taken_for_telnet():
    together, wire = connected(None, b"raw\r\n" + RAW + b".line\n")
    assert b"".join(data for _, data in together.calls[1:]) == RAW + b".line\n"
    assert wire.value() == b""

    protocol, wire = connected(None, b"a\xff\xff\nraw\n")
    for value in RAW:
        protocol.transport.dataReceived(bytes([value]))
    assert protocol.calls[:2] == [b"a\xff\xff", b"raw"]
    assert b"".join(data for _, data in protocol.calls[2:]) == RAW
    assert wire.value() == b""


def test_a_255_that_waits_when_raw_mode_begins_is_raw_data():
    protocol, _ = connected(None, b"line\n\xff")
    protocol.setRawMode()
    protocol.transport.dataReceived(b"\xfb\x01")
    assert protocol.calls == [b"line", ("raw", b"\xff\xfb\x01")]


def test_after_raw_mode_the_client_can_show_that_it_is_telnet():
    protocol, wire = connected(None, b"raw\n", RAW, b".", HELLO + b"line\n")
    assert protocol.calls == [b"raw", ("raw", RAW), ("raw", b"."), b"line"]
    assert wire.value() == NO_THANKS


def test_raw_data_in_a_telnet_connection_is_freed_of_telnet():
    protocol, wire = connected(
        None, HELLO + b"raw\r\na\xff\xffb" + NOP + b"\r\0", b"c" + AYT + b"."
    )
    protocol.transport.dataReceived(b"line\r\n")
    calls = [call for call in protocol.calls if call[0] != "command"]
    assert calls[0] == b"raw"
    assert b"".join(data for _, data in calls[1:-1]) == b"a\xffb\rc."
    assert calls[-1] == b"line"
    assert wire.value() == NO_THANKS + b"\r\n[yes, I am here]\r\n"


def test_pausing_holds_the_lines_and_the_commands_between_them():
    protocol, wire = connected(None, HELLO + b"one\npause\ntwo\n" + IAC + DO + SGA + b"three" + NOP)
    lines = [call for call in protocol.calls if isinstance(call, bytes)]
    assert lines == [b"one", b"pause"]
    assert wire.producerState == "paused"
    assert wire.value() == NO_THANKS
    protocol.transport.dataReceived(b"gone" + EL + b"last\n")
    protocol.resumeProducing()
    assert wire.value() == NO_THANKS + IAC + WONT + SGA
    lines = [call for call in protocol.calls if isinstance(call, bytes)]
    assert lines == [b"one", b"pause", b"two", b"last"]
    assert wire.producerState == "producing"


def test_telnet_may_show_itself_while_the_protocol_is_paused():
    protocol, wire = connected(None, b"pause\nt\xff\xffwo\n" + HELLO + b"t\xff\xffhree\n")
    assert protocol.calls == [b"pause"]
    protocol.resumeProducing()
    assert protocol.calls == [b"pause", b"t\xff\xffwo", b"t\xffhree"]
    assert wire.value() == NO_THANKS


def test_a_pause_that_ends_at_once_changes_no_order():
    protocol, _ = connected(None, HELLO, b"pause\nblink\n" + NOP + b"thrxx" + EC + EC + b"ee\n")
    protocol.resumeProducing()
    lines = [call for call in protocol.calls if isinstance(call, bytes)]
    assert lines == [b"pause", b"blink", b"three"]


def test_a_pause_that_ends_at_once_does_not_show_raw_data_to_telnet():
    protocol, wire = connected(None, b"pause\nblink raw\n" + RAW)
    protocol.resumeProducing()
    assert protocol.calls[:2] == [b"pause", b"blink raw"]
    assert b"".join(data for _, data in protocol.calls[2:]) == RAW
    assert wire.value() == b""


def test_a_pause_in_a_command_that_ends_at_once_changes_no_order_and_loses_no_answer():
    class Blinking(Recorder):
        def telnetCommandReceived(self, command):
            super().telnetCommandReceived(command)
            self.pauseProducing()
            self.resumeProducing()

    mark = IAC + DO + TIMING_MARK
    chunk = b"pause\n" + mark + b"one\n" + NOP + b"two\n" + NOP + mark + b"three\n"
    protocol, wire = connected(Blinking(), HELLO, chunk)
    protocol.resumeProducing()
    nop = ("command", Command.NOP)
    assert protocol.calls == [b"pause", b"one", nop, b"two", nop, b"three"]
    assert wire.value() == NO_THANKS + (IAC + WILL + TIMING_MARK) * 2


def test_raw_data_that_was_held_by_a_pause_is_not_taken_for_telnet():
    protocol, wire = connected(None, b"pause\nraw\n" + RAW)
    protocol.resumeProducing()
    assert protocol.calls[:2] == [b"pause", b"raw"]
    assert b"".join(data for _, data in protocol.calls[2:]) == RAW
    assert wire.value() == b""
