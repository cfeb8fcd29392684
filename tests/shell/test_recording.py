"""Recording a connection: the file, when it is written, what is left out, and its replay."""

from __future__ import annotations

import re
import socketserver
import threading

import pytest

from echoproto.client.target import Target
from echoproto.shell.commands import COMMANDS
from echoproto.shell.recording import Recording as Recorded
from echoproto.wire.telnet.commands import Command
from in_shell import ECHO, ENTER, SGA, WILL, Recording, in_shell
from support import BIN, echoproto, eventually
from terminal import Terminal


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.session"


def lines_of(path):
    """The lines of a session file, without times, comments and empty lines."""
    lines = path.read_text().splitlines()
    return [line for line in lines if line and not re.match("[@#]", line)]


def type_lines(shell, *lines):
    """Type lines, each of which goes out at once."""
    for line in lines:
        shell.session.type_lines([line])
        for outgoing in shell.session.outbox.discard():
            shell.session._note_sent(outgoing)


def command(shell, text):
    shell.take_printed()
    COMMANDS.run(shell.session, text)
    return shell.take_printed().partition("\n")[2]


# The file


def test_what_is_sent_and_what_comes_is_in_the_file_at_once(path):
    shell = Recording(telnet="never")
    shell.session.recording.start(str(path))
    head = ["target tcp://192.0.2.1:23", "eol crlf"]
    assert lines_of(path) == head
    type_lines(shell, "hello")
    assert lines_of(path) == [*head, "> hello"]
    shell.say(b"one\r\ntwo")
    assert lines_of(path) == [*head, "> hello", "< one"]
    shell.session.settle()
    assert lines_of(path) == [*head, "> hello", "< one", "< two\\"]
    shell.session._note_end()
    shell.session.receive_eof()
    shell.session.close()
    assert lines_of(path) == [*head, "> hello", "< one", "< two\\", ">! half-close", "<! close"]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_password_is_not_in_the_file_but_what_stands_for_it(path):
    shell = Recording()
    shell.session.recording.start(str(path))
    shell.say(b"Password: ")
    shell.session.settle()
    type_lines(shell, "hunter2")
    shell.say(b"You said hunter2\r\n")
    shell.session.close()
    assert "hunter2" not in path.read_text()
    assert lines_of(path)[-3:] == [r"< Password: \\"[:-1], "> ${secret}", "< You said ${secret}"]


def type_keys(shell, keys, echo=b""):
    """Type `keys`, one by one. The peer answers each with `echo`."""
    for key in keys:
        shell.session.type_keys(bytes([key]))
        for outgoing in shell.session.outbox.discard():
            shell.session._note_sent(outgoing)
        shell.say(echo)
        shell.session.settle()


@pytest.mark.parametrize("echo", [b"", b"*", "•".encode(), b"*\b", b"\rCode word: "])
def test_a_password_that_is_typed_key_by_key_is_one_secret(path, echo):
    shell = Recording()
    shell.session.recording.start(str(path))
    shell.say(WILL + ECHO + WILL + SGA + b"Password: ")
    type_keys(shell, b"hunter2\r", echo)
    shell.say(b"\r\n$ ")
    type_keys(shell, b"ls\r")
    shell.session.close()
    sent = [line for line in lines_of(path) if line.startswith(">")]
    assert sent == ["> ${secret}\\r\\", "> l\\", "> s\\", "> \\r\\"]


def test_what_is_typed_key_by_key_is_no_secret_any_more_when_the_peer_has_ended_the_line(path):
    shell = Recording()
    shell.session.recording.start(str(path))
    shell.say(WILL + ECHO + WILL + SGA + b"Password: ")
    type_keys(shell, b"hun")
    shell.say(b"\r\nTimed out.\r\nlogin: ")
    type_keys(shell, b"me")
    shell.session.close()
    sent = [line for line in lines_of(path) if line.startswith(">")]
    assert sent == ["> ${secret}\\", "> m\\", "> e\\"]


def test_a_telnet_command_is_in_the_file(path):
    shell = Recording(telnet="always")
    shell.session.recording.start(str(path))
    shell.session.send_command(Command.AYT)
    shell.sent()
    assert lines_of(path)[-2:] == [">! AYT", ">! half-close"]
    assert "telnet always" in lines_of(path)
    shell.session.recording.stop()


def test_a_file_that_is_there_is_not_touched(path):
    path.write_text("precious")
    with pytest.raises(FileExistsError, match="does not overwrite it"):
        Recording().session.recording.start(str(path))
    assert path.read_text() == "precious"


def test_what_was_ready_and_never_used_is_removed(path):
    shell = Recording()
    shell.session.close()
    shell.session.recording.start(str(path))
    assert path.exists()
    shell.session.recording.stop()
    assert not path.exists()


def test_a_disk_that_is_full_ends_only_the_recording(path):
    shell = Recording()
    shell.session.recording.start(str(path))
    shell.session.recording._file.close()
    shell.session.recording._file = open("/dev/full", "w")  # noqa: PTH123, SIM115
    shell.say(b"one\n")
    shell.say(b"two\n")
    assert shell.printed == f"{path}: No space left on device; the recording ends.\none\ntwo\n"
    assert shell.session.recording.name == ""


def test_it_is_a_watcher_of_each_session():
    session = Recording().session
    assert [type(watcher) for watcher in session.watchers].count(Recorded) == 1


# The command


def test_record_starts_says_and_ends(path):
    shell = Recording(telnet="never")
    nothing = "Nothing is being recorded. Example: record session.txt\n"
    assert command(shell, "record") == nothing
    assert command(shell, "record off") == nothing
    assert (
        command(shell, f"record {path}") == f"From now on, the connection is recorded in {path}.\n"
    )
    said = f"{path} is being recorded; record off ends that.\n"
    assert command(shell, "record") == said
    assert command(shell, "record other") == said
    type_lines(shell, "hello")
    assert command(shell, "record off") == f"The recording is in {path}.\n"
    type_lines(shell, "more")
    assert lines_of(path)[-1] == "> hello"
    assert "from the middle" in path.read_text()
    assert command(shell, f"record {path}") == (
        f"record: {path}: the file exists already, and a recording does not overwrite it.\n"
    )
    assert command(shell, f"record {path}/x") == f"record: {path}/x: Not a directory.\n"


def test_record_off_before_the_connection_says_that_the_file_is_removed(path):
    shell = Recording()
    shell.session.close()
    command(shell, f"record {path}")
    said = f"Nothing was recorded, and {path} is removed.\n"
    assert command(shell, "record off") == said
    assert not path.exists()


def test_the_recording_ends_with_the_connection_and_the_next_needs_a_new_file(path):
    shell = Recording(telnet="never")
    command(shell, f"record {path}")
    shell.session.close()
    assert shell.take_printed() == f"The connection is recorded in {path}.\n"
    second = path.with_name("second")
    assert command(shell, f"record {second}") == (
        f"The next connection will be recorded in {second}.\n"
    )
    shell.session.target = Target("192.0.2.2", 24)
    shell.session.open(shell.session.codec)
    type_lines(shell, "hello")
    shell.session.close()
    assert lines_of(second) == ["target tcp://192.0.2.2:24", "eol crlf", "> hello"]
    assert ">" not in "".join(lines_of(path))


def test_the_name_of_a_new_file_is_typed_in_the_shell(tmp_path):
    async def script(type_, peer, screen):
        type_(f'\x1drecord "{tmp_path}/my session"' + ENTER)
        await screen.shows(f"is recorded in {tmp_path}/my session.")
        type_("hello" + ENTER)
        await peer.has_received(b"hello\r\n")
        await peer.say(b"hi\r\n")
        await screen.shows("hi\r\n")

    _, shown = in_shell(script)
    assert f"The connection is recorded in {tmp_path}/my session." in shown.text
    assert lines_of(tmp_path / "my session")[-4:] == [
        "> hello",
        "< hi",
        ">! half-close",
        "<! close",
    ]


# What was recorded replays


def record(path, target, *script):
    """Record a session in a real terminal. `script` has each prompt, and the line to type there."""
    with Terminal(BIN / "echoproto", "--record", path, target) as terminal:
        for prompt, typed in script:
            terminal.wait_for(prompt)
            terminal.type(typed)
            terminal.press("Enter")
            line = f"{prompt} {typed}".rstrip()
            eventually(lambda: line in terminal.lines(), terminal.lines)  # noqa: B023
        terminal.wait_for(prompt)
        terminal.press("C-d")
        terminal.wait_for("[status 0]")


def replays(path, *words):
    done = echoproto("replay", *words, path)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def test_a_session_with_the_real_echo_server_replays(server, path):
    record(path, f"127.0.0.1:{server.port}", (">", "hello, wörld"), (">", r"back\slash"), (">", ""))
    assert replays(path)[:2] == (0, "")
    sent = [line for line in lines_of(path) if line.startswith("> ")]
    assert sent[:2] == ["> hello, wörld", r"> back\\slash"]


def test_a_session_with_a_server_that_speaks_first_replays_and_another_does_not(path):
    replies = {b"one": b"first\r\n250 ok\r\nftp> ", b"two": b"second\r\nftp> "}

    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            self.wfile.write(b"220 ready\r\nftp> ")
            for line in self.rfile:
                self.wfile.write(replies[line.strip()])

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as listening:
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        record(path, f"127.0.0.1:{listening.server_address[1]}", ("ftp>", "one"), ("ftp>", "two"))
        assert replays(path)[:2] == (0, "")
        replies[b"two"] = b"third\r\nftp> "
        status, printed, _ = replays(path)
        assert status == 1
        assert "  -< second\n  +< third" in printed
        listening.shutdown()
