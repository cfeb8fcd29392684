"""The session: bytes of the peer and typed lines in; bytes, printed text and calls out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from echoproto.shell.session import MAX_PROMPT
from echoproto.shell.watcher import Watcher
from echoproto.wire.telnet.codec import TelnetCodec
from echoproto.wire.telnet.commands import Command
from echoproto.wire.telnet.options import SHELL_POLICY
from in_shell import DO, ECHO, IAC, SGA, WILL, Recording

# Lines


def test_an_empty_line_without_a_line_end_sends_nothing():
    shell, sent = Recording(line_end=b""), []
    shell.session.watchers.append(watcher := Watcher())
    watcher.sent = sent.append
    shell.session.type_lines(["", "a", ""])
    assert shell.sent() == b"a"
    assert [outgoing.item for outgoing in sent] == [b"a"]


@pytest.mark.parametrize(("line_end", "end"), [(None, b"\r\n"), (b"\r\n", b"\r\n"), (b"\n", b"\n")])
def test_a_line_that_is_typed_is_printed_and_sent_with_its_end(line_end, end):
    shell = Recording(line_end=line_end)
    shell.session.type_lines(["héllo"])
    shell.session.type_lines([""])
    assert shell.printed == "> héllo\n> \n"
    assert shell.sent() == "héllo".encode() + end + end


def test_bytes_that_are_no_text_are_sent_as_they_are_and_printed_escaped():
    shell = Recording()
    shell.session.type_lines(["a\udcffb"])
    assert shell.printed == "> a\\xffb\n"
    assert shell.sent() == b"a\xffb\r\n"


def test_lines_of_the_peer_are_printed_when_their_ends_come():
    shell = Recording()
    shell.say(b"one\r\ntw")
    assert shell.take_printed() == "one\n"
    shell.say(b"o\nthree")
    assert shell.take_printed() == "two\n"
    shell.session.close()
    assert shell.take_printed() == "three⏎\n"


@given(
    st.lists(st.sampled_from([b"a\r\n", b"b\n", b"login: ", b"\x1b[31m", b"\xff\xfb\x01", b"\r"])),
    st.lists(st.integers(0, 60)),
    st.sampled_from(["auto", "always", "never"]),
)
def test_however_what_comes_is_cut_the_same_is_printed_and_replied(said, cuts, telnet):
    data = b"".join(said)
    whole, cut = Recording(telnet=telnet), Recording(telnet=telnet)
    whole.say(data)
    at = 0
    for end in [*sorted(cuts), len(data)]:
        cut.say(data[at:end])
        at = max(at, end)
    for shell in (whole, cut):
        shell.session.close()
    assert (cut.printed, cut.replied) == (whole.printed, whole.replied)


# The prompt


def test_the_start_of_a_line_is_the_prompt_once_no_more_of_it_comes():
    shell = Recording()
    shell.say(b"welcome\r\nlogin: ")
    assert shell.prompt == "> "
    shell.session.settle()
    assert shell.prompt == "login: "
    assert shell.calls == ["redraw"]
    shell.session.type_lines(["me"])
    assert shell.prompt == "> "
    assert shell.take_printed() == "welcome\nlogin: me\n"
    shell.say(b"\r\n")
    assert shell.take_printed() == "\n"


def test_what_comes_after_the_prompt_ends_it():
    shell = Recording()
    shell.say(b"50%")
    shell.session.settle()
    shell.say(b" done\nnext")
    assert shell.prompt == "> "
    assert shell.take_printed() == "50% done\n"


def test_of_a_long_start_the_last_of_it_is_the_prompt_and_all_is_printed_with_the_answer():
    shell = Recording()
    start = b"x" * 100 + b"name: "
    shell.say(start)
    shell.session.settle()
    assert shell.prompt == start.decode()[-MAX_PROMPT:]
    shell.say(b"(again) ")
    shell.session.type_lines(["me"])
    assert shell.printed == start.decode() + "(again) me\n"


def test_the_start_that_came_plain_is_kept_when_telnet_begins():
    shell = Recording()
    shell.say(b"one\nlogin: \xff\xfb\x03")
    shell.session.settle()
    assert shell.prompt == "login: "
    shell.say(b"\rLOGIN: ")
    shell.session.settle()
    assert shell.prompt == "LOGIN: "  # as on a terminal, from now on
    assert shell.printed == "one\n"


def test_a_telnet_server_writes_to_a_terminal_from_its_first_byte():
    shell = Recording(telnet="always")
    shell.say(b"10%\r20%\n")
    assert shell.printed == "20%\n"


# Lines without a line end


def test_a_start_that_is_no_prompt_is_shown_above_the_prompt_with_a_mark():
    shell = Recording()
    shell.say(b"hello")
    shell.session.settle()
    assert shell.prompt == "hello⏎\n> "
    shell.session.type_lines(["world"])
    assert shell.sent() == b"world\r\n"
    assert shell.take_printed() == "hello⏎\n> world\n"
    assert shell.prompt == "> "
    shell.say(b"world")
    shell.session.settle()
    assert shell.prompt == "world⏎\n> "
    shell.session.close()
    assert shell.take_printed() == "world⏎\n"


def test_the_mark_goes_when_the_rest_of_the_line_comes():
    shell = Recording()
    shell.say(b"hel")
    shell.session.settle()
    shell.say(b"lo\r\n")
    assert shell.prompt == "> "
    assert shell.printed == "hello\n"


def test_what_the_server_marks_as_a_prompt_is_one_whatever_it_looks_like():
    shell = Recording(telnet="always")
    shell.say(b"<20hp>x" + IAC + bytes([Command.GA]))
    shell.session.settle()  # as after a while
    assert shell.prompt == "<20hp>x"
    shell.session.type_lines(["north"])
    assert shell.printed == "<20hp>xnorth\n"
    shell.say(b"You go north.\r\n")
    shell.say(b"data")
    shell.session.settle()
    assert shell.prompt == "data⏎\n> "


def test_marks_without_data_between_them_are_one_mark():
    shell = Recording(telnet="always")
    shell.say(b"name: " + IAC + bytes([Command.GA]))
    shell.calls.clear()
    shell.say((IAC + bytes([Command.GA]) + IAC + bytes([Command.EOR])) * 100)
    assert not shell.calls
    assert shell.prompt == "name: "
    shell.say(b"\r\n<20hp>" + IAC + bytes([Command.GA]))
    assert shell.prompt == "<20hp>"


def test_while_the_answer_is_hidden_the_start_is_the_prompt():
    shell = Recording()
    shell.say(WILL + ECHO + b"Code word")
    shell.session.settle()
    assert shell.prompt == "Code word"


# What is hidden


def test_while_the_peer_echoes_what_is_typed_is_sent_and_not_printed():
    shell = Recording()
    shell.say(WILL + ECHO + b"Password: ")
    shell.session.settle()
    assert shell.session.is_hidden
    assert shell.calls == ["redraw", "redraw"]
    shell.session.type_lines(["secret"])
    assert shell.printed == ""
    assert shell.prompt == "Password: "
    assert shell.sent() == b"secret\r\n"


def test_other_options_hide_nothing():
    shell = Recording()
    shell.say(WILL + SGA + DO + SGA)
    assert not shell.session.is_hidden
    assert not shell.session.takes_keys


# Telnet


def test_a_line_is_ended_as_the_peer_wants_it_at_the_time_it_is_typed():
    shell = Recording()
    shell.session.type_lines(["one"])
    shell.say(WILL + ECHO + WILL + SGA)
    shell.session.type_lines(["two"])
    assert shell.sent() == b"one\r\ntwo\r\0"


def test_lines_and_commands_are_sent_in_the_order_in_which_they_were_typed():
    shell = Recording(telnet="always")
    shell.session.type_lines(["one"])
    shell.session.send_command(Command.AYT)
    shell.session.type_lines(["\udcff"])
    assert shell.sent() == b"one\r\n" + IAC + bytes([Command.AYT]) + b"\xff\xff\r\n"


def test_a_command_where_telnet_is_ruled_out_is_not_sent():
    shell = Recording(telnet="never")
    shell.session.send_command(Command.AYT)
    assert shell.printed == "This connection is not telnet.\n"
    assert shell.sent() == b""


def test_a_command_that_waits_while_telnet_is_ruled_out_is_not_sent():
    shell = Recording()
    shell.session.send_command(Command.AYT)
    shell.say(b"\xff\x80")  # is no telnet
    assert shell.sent() == b""


def test_to_send_a_command_makes_it_telnet():
    shell = Recording()
    shell.say(b"login: ")
    shell.session.send_command(Command.BRK)
    assert shell.printed == (
        "The server has not negotiated telnet; treating it as telnet from now on.\n"
    )
    shell.say(b"\rLOGIN\n")
    assert shell.printed.endswith("\nLOGIN: \n")
    assert shell.sent() == IAC + bytes([Command.BRK])


# Without a connection


def test_lines_that_wait_when_the_connection_ends_are_counted():
    shell = Recording()
    shell.session.type_lines(["one", "two"])
    shell.take_printed()
    shell.session.close()
    assert shell.take_printed() == "The last 2 lines were not sent.\n"


def test_an_end_that_waits_is_not_counted_as_a_line():
    shell = Recording()
    shell.session.type_lines(["one"])
    shell.session.end()
    shell.take_printed()
    shell.session.close()
    assert shell.take_printed() == "The last line was not sent.\n"


def test_the_status_is_above_the_prompt_only_while_there_is_no_connection():
    shell = Recording()
    shell.session.show_status("Connecting to x ...")
    assert shell.prompt == "> "
    shell.session.close()
    assert shell.prompt == "Connecting to x ...\nclosed> "
    shell.session.show_status("")
    assert shell.prompt == "closed> "


def test_without_a_connection_bytes_are_not_sent_and_that_is_said():
    shell = Recording()
    shell.session.close()
    shell.session.send_bytes(b"x")
    assert shell.take_printed() == "The shell is not connected.\n"
    assert shell.sent() == b""


def test_a_new_connection_begins_with_nothing_of_the_last():
    shell = Recording()
    shell.say(WILL + ECHO + b"Password: ")
    shell.session.settle()
    assert shell.session.is_hidden
    shell.session.close()
    assert not shell.session.is_hidden
    shell.session.open(TelnetCodec(SHELL_POLICY, mode="auto"))
    assert (shell.session.is_hidden, shell.prompt) == (False, "> ")
