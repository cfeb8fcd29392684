"""Telnet clients, each the real program: what a person sees, and what goes over the wire.

docs/telnet.md has a table of what goes over the wire, client by client; here it is compared with
what does.
"""

from __future__ import annotations

import re
import socket
import subprocess
import termios
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from threading import Condition, Thread
from typing import NamedTuple, Self

import pytest

from echoproto.wire.telnet.commands import Command
from putty import SPECIAL, Putty
from support import (
    BIN,
    DEADLINE,
    connect,
    eventually,
    program,
    receive_all,
    run,
    serve,
    start,
)
from telnet_words import in_words
from terminal import Terminal

TELNET_MD = Path(__file__).parents[2] / "docs" / "telnet.md"

HOST = "127.0.0.1"
AYT_ANSWER = "[yes, the echo server is here]"
TELNET_IS_THERE = [f"Trying {HOST}...", f"Connected to {HOST}.", "Escape character is '^]'."]

PEER = rf"{HOST}:\d+"
USUAL = re.compile(
    rf"\S+ \[echoproto#info\] \[\d+\] ({PEER} connected|speaks telnet|"
    rf"{PEER} disconnected: (?:\d+ lines, )?\d+ bytes, [\d.]+ s: closed by the client)"
)


@pytest.fixture(scope="module")
def private_server():
    with serve() as running:
        yield running


@pytest.fixture
def server(private_server):
    """A server of this file; after each test its log tells of connections, and of nothing else."""
    log = private_server.log
    before = len(log.text)
    yield private_server
    with connect(private_server.port) as last:
        name = "{}:{}".format(*last.getsockname())

    def is_over() -> bool:
        text = log.text[before:]
        is_closed = f"{name} disconnected: " in text and text.endswith("\n")
        return is_closed and text.count(" connected\n") == text.count(" disconnected: ")

    eventually(is_over, lambda: f"the end of each connection in:\n{log.text[before:]}")
    assert [line for line in log.text[before:].splitlines() if not USUAL.fullmatch(line)] == []


# What a person sees


def enter(terminal, line):
    terminal.type(line)
    terminal.press("Enter")


def type_into_putty(putty, line, *, seen_before):
    """Type a line, and see it twice: as PuTTY echoes it itself, and as it comes back."""
    putty.type(f"{line}\n")
    seen = seen_before + f"{line}\r\n".encode(putty.charset) * 2
    putty.wait_for(seen)
    return seen


@pytest.mark.parametrize("charset", ["UTF-8", "ISO-8859-1"])
def test_putty_gets_each_line_once_and_its_telnet_commands_leave_no_trace(charset, server):
    with Putty(server.port, charset=charset) as putty:
        # A byte 255 that is typed before PuTTY 0.78 is connected goes out garbled: it sends the
        # bytes by which its queue marks Enter. Wait for a line of ASCII, which means that it is.
        seen = type_into_putty(putty, "hello", seen_before=b"")
        seen = type_into_putty(putty, "hello, éÿ", seen_before=seen)
        for key, shown in {"c": b"^C", "u": b"^U", "z": b"^Z", "backslash": b"^\\"}.items():
            putty.press(f"ctrl+{key}")
            putty.wait_for(seen + shown)
            seen = type_into_putty(putty, f"after {key}", seen_before=seen + shown)
        putty.send("ayt")
        seen += f"\r\n{AYT_ANSWER}\r\n".encode()
        putty.wait_for(seen)
        for special in SPECIAL:
            if special in ("ayt", "eof"):
                continue
            putty.send(special)
            seen = type_into_putty(putty, f"after {special}", seen_before=seen)
        putty.press("ctrl+d")
        assert putty.wait_for_end() == 0
        assert putty.shown() == seen


def test_putty_raw_gets_each_line_once(server):
    with Putty(server.port, protocol="-raw") as putty:
        seen = type_into_putty(putty, "hello, éÿ", seen_before=b"")
        seen = type_into_putty(putty, "again", seen_before=seen)
        putty.press("ctrl+d")
        assert putty.wait_for_end() == 0
        assert putty.shown() == seen


@pytest.mark.parametrize("protocol", ["-telnet", "-raw"])
def test_plink_in_a_terminal_gets_each_line_once(protocol, server):
    with Terminal(program("plink"), protocol, "-P", server.port, HOST) as terminal:
        screen = []
        for line in ("hello, éÿ", "again"):
            enter(terminal, line)
            screen += [line, line]
            assert terminal.wait_for(*screen) == screen
        terminal.press("C-d")
        screen += ["[status 0]"]
        assert terminal.wait_for(*screen) == screen


def test_telnet_in_a_terminal_gets_each_line_once_and_its_commands_leave_no_trace(server):
    with Terminal(program("telnet"), HOST, server.port) as terminal:
        screen = list(TELNET_IS_THERE)
        terminal.wait_for(*screen)

        def see(*lines):
            screen.extend(lines)
            assert terminal.wait_for(*screen) == screen

        def command(text, *answer):
            terminal.press("C-]")
            see("^]", "telnet>")
            enter(terminal, text)
            screen[-1] = f"telnet> {text}"
            see(*answer)

        enter(terminal, "hello, éÿ")
        see("hello, éÿ", "hello, éÿ")
        terminal.press("C-c")
        see("^C")
        enter(terminal, "after Ctrl-C")
        screen[-1] = "^Cafter Ctrl-C"
        see("after Ctrl-C")
        command("send ayt", "", AYT_ANSWER)
        for name in ("synch", "brk", "ao", "ip", "ec", "el", "nop", "ga", "abort", "susp", "eor"):
            command(f"send {name}")
            enter(terminal, f"after {name}")
            see(f"after {name}", f"after {name}")
        command("send eof", "Connection closed by foreign host.", "[status 0]")


def test_the_urgent_data_of_telnet_s_synch_is_taken_in_its_place():
    # A stray byte would be invisible on the screen, but it appears in the log.
    with (
        serve("--log-lines") as server,
        Terminal(program("telnet"), HOST, server.port) as terminal,
    ):
        terminal.wait_for(*TELNET_IS_THERE)
        for command in ("send ayt", "send synch", "send ip synch", "send eof"):
            terminal.press("C-]")
            enter(terminal, command)
            if command != "send eof":
                enter(terminal, f"after {command}")
                server.log.wait_for(rf"\[1\] b'after {command}'$")
        server.log.wait_for("disconnected: 3 lines")
        logged = server.log.wait_for(r"\[1\] b.*")
    assert len(logged) == 3


# What a program sees


def test_plink_in_a_pipe_gets_its_echo_and_ends_every_time(server):
    words = [program("plink"), "-telnet", "-batch", "-P", str(server.port), HOST]
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda _: run(*words, input=b"hello\n"), range(40)))
    assert [(one.returncode, one.stdout) for one in done] == [(0, b"hello\r\n")] * 40


def through_ncat(server, data):
    return run(program("ncat"), HOST, str(server.port), input=data).stdout


SHOWS_TELNET = bytes(
    [Command.WILL, Command.DO, Command.AYT, Command.IP, Command.AO, Command.BRK]
).decode("latin-1")
LETTERS = [chr(code) for code in range(0x100) if chr(code).isalpha()]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize(
    "text",
    [
        pytest.param("hello, world\n", id="only-the-BOM-has-255"),
        pytest.param("ǿ, Kǿbenhavn, ＡûＡ\r\n", id="U+01FF"),  # FULLWIDTH A is U+FF21
        pytest.param("naïve ÿ\n", id="U+00FF"),
    ],
)
def test_a_utf_16_file_through_ncat_comes_back_byte_for_byte(text, encoding, server):
    data = f"\ufeff{text * 5000}".encode(encoding)
    assert through_ncat(server, data) == data


def test_a_latin_1_file_through_ncat_comes_back_byte_for_byte(server):
    town = "L'Haÿ-les-Roses"
    pairs = "".join(f"ÿ{letter} " for letter in LETTERS)
    for text in (town, f"{town}\r\n{pairs}\r\n" * 500, "Louÿ", "Louÿÿ", "ÿ", "ÿÿ", f"{pairs}ÿ"):
        data = text.encode("latin-1")
        assert through_ncat(server, data) == data


def test_a_latin_1_file_may_have_its_first_255_before_almost_any_letter(server):
    for letter in LETTERS:
        if letter not in SHOWS_TELNET:
            data = f"ÿ{letter}".encode("latin-1")
            with connect(server.port) as sock:
                sock.sendall(data)
                sock.shutdown(socket.SHUT_WR)
                assert receive_all(sock) == data


def test_with_telnet_never_the_first_255_may_stand_before_anything():
    files = [f"ÿ{letter}ÿ{letter} and so on".encode("latin-1") for letter in SHOWS_TELNET]
    with serve("--telnet", "never") as never:
        assert [through_ncat(never, data) for data in files] == files


# What goes over the wire


class Recording:
    """What one of the two has sent; `words` are those since the last `take`."""

    def __init__(self) -> None:
        self.data = b""
        self.ended = False
        self._taken = 0
        self._end_taken = False

    def words(self) -> str:
        words = in_words(self.data[self._taken :])
        end = "FIN" if self.ended and not self._end_taken else ""
        return " · ".join(filter(None, [words, end]))

    def take(self) -> None:
        self._taken = len(self.data)
        self._end_taken = self.ended


class Relay:
    """Stands between one client and the server, and records what each of them sends."""

    def __init__(self, port: int) -> None:
        self.sent, self.answered = Recording(), Recording()
        self._changed = Condition()
        self._server_port = port
        self._listener = socket.create_server((HOST, 0))
        self.port = self._listener.getsockname()[1]
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # it wakes an accept
        self._thread.join(DEADLINE)
        self._listener.close()

    def _run(self) -> None:
        with suppress(OSError):
            client, _ = self._listener.accept()
            with client, connect(self._server_port) as server:
                for sock in (client, server):
                    sock.settimeout(None)
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
                back = Thread(target=self._pass_on, args=[server, client, self.answered])
                back.daemon = True
                back.start()
                self._pass_on(client, server, self.sent)
                back.join()

    def _pass_on(self, source: socket.socket, sink: socket.socket, recording: Recording) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                with self._changed:
                    recording.data += data
                    self._changed.notify_all()
                with suppress(OSError):
                    sink.sendall(data)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_WR)
        with self._changed:
            recording.ended = True
            self._changed.notify_all()

    def wait_for(self, condition) -> None:
        """Wait until `condition` holds for what was sent and answered."""
        with self._changed:
            assert self._changed.wait_for(
                lambda: condition(self.sent.data, self.answered.data), DEADLINE
            ), f"sent {self.sent.data}, answered {self.answered.data}"

    def take(self, expected: tuple[str, str] | None) -> tuple[str, str]:
        """Wait for the words of one step; the words that have come."""
        with self._changed:
            self._changed.wait_for(lambda: self._words() == expected, DEADLINE)
            words = self._words()
            self.sent.take()
            self.answered.take()
        return words

    def take_rest(self) -> tuple[str, str]:
        """Wait until both have closed; what has come, in words, except for that."""
        with self._changed:
            assert self._changed.wait_for(
                lambda: self.sent.ended and self.answered.ended, DEADLINE
            ), f"still open after {self._words()}"
        return tuple(words.removesuffix("FIN").removesuffix(" · ") for words in self._words())

    def _words(self) -> tuple[str, str]:
        return self.sent.words(), self.answered.words()


class Row(NamedTuple):
    """A row of the table of docs/telnet.md."""

    client: str
    done: str
    sent: str
    answered: str

    def __str__(self) -> str:
        words = (f"`{cell}`" if cell else "—" for cell in (self.sent, self.answered))
        return f"| {self.client} | {self.done} | {' | '.join(words)} |"


def table() -> list[Row]:
    section = TELNET_MD.read_text().split("\n## Client by client\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    cells = [[cell.strip(" `—") for cell in line.strip("|").split("|")] for line in lines[2:]]
    return [Row(*row) for row in cells]


CONNECT = "connects"
HELLO = "hello, Enter"
AGAIN = "again, Enter"


def putty(port):
    with Putty(port) as window:
        yield CONNECT
        window.type("hello\n")
        yield HELLO
        window.press("ctrl+c")
        yield "Ctrl-C"
        window.type("again\n")
        yield AGAIN
        window.press("ctrl+d")
        yield "Ctrl-D"


def putty_raw(port):
    with Putty(port, protocol="-raw") as window:
        window.type("hello\n")
        yield HELLO


def plink(port):
    with Terminal(program("plink"), "-telnet", "-P", port, HOST) as terminal:
        yield CONNECT
        enter(terminal, "hello")
        yield HELLO
        terminal.press("C-d")
        yield "Ctrl-D"


def plink_in_a_pipe(port):
    with start(program("plink"), "-telnet", "-batch", "-P", str(port), HOST) as process:
        yield CONNECT
        process.stdin.write(b"hello\n")
        process.stdin.flush()
        yield "hello and LF"
        process.stdin.close()
        yield "end of its input"


def telnet(port):
    with Terminal(program("telnet"), HOST, port) as terminal:
        terminal.wait_for(*TELNET_IS_THERE)
        yield CONNECT
        enter(terminal, "hello")
        yield HELLO
        terminal.press("C-c")
        yield "Ctrl-C"
        terminal.press("C-]")
        enter(terminal, "send ayt")
        yield "Ctrl-], send ayt"
        terminal.press("C-]")
        enter(terminal, "set binary")
        yield "Ctrl-], set binary"
        enter(terminal, "again")
        yield AGAIN


def takes_each_key(terminal) -> bool:
    """Whether the program has set its terminal so that it gets each key by itself."""
    with (
        suppress(ValueError, OSError),  # it is only about to start
        Path(f"/proc/{terminal.pid()}/fd/0").open() as tty,
    ):
        return not termios.tcgetattr(tty)[3] & termios.ICANON
    return False


def telnetlib3(port):
    path = BIN / "telnetlib3-client"
    if not path.exists():
        pytest.skip("telnetlib3 is not installed: pip install telnetlib3")
    with Terminal(path, HOST, port) as terminal:
        eventually(lambda: takes_each_key(terminal), "raw mode")
        yield CONNECT
        enter(terminal, "hello")
        yield HELLO


def plain(*command):
    """The session of a client that is not telnet; its command ends with a host and a port."""

    def session(port):
        with Terminal(program(command[0]), *command[1:], *at(port)) as terminal:
            enter(terminal, "hello")
            yield HELLO

    def at(port):
        return ["-P", port, HOST] if command[0] == "plink" else [HOST, port]

    return session


# What is done with each client; each step is named once it is done.
SESSIONS = {
    "PuTTY": putty,
    "plink -telnet": plink,
    "plink -telnet, in a pipe": plink_in_a_pipe,
    "telnet": telnet,
    "telnetlib3-client": telnetlib3,
    "PuTTY -raw": putty_raw,
    "plink -raw": plain("plink", "-raw"),
    "ncat": plain("ncat"),
    "ncat -C": plain("ncat", "-C"),
    "nc": plain("nc.openbsd"),
}


@pytest.mark.parametrize("client", SESSIONS)
def test_the_table_of_the_documentation_has_what_goes_over_the_wire(client, server):
    expected = [row for row in table() if row.client == client]
    seen = []
    with Relay(server.port) as relay, closing(SESSIONS[client](relay.port)) as session:
        for done in session:
            words = {row.done: (row.sent, row.answered) for row in expected}.get(done)
            seen.append(Row(client, done, *relay.take(words)))
        rest = relay.take_rest()
    right = "\n".join(map(str, seen))
    assert seen == expected, f"this would be right in {TELNET_MD.name}:\n{right}"
    assert rest == ("", ""), f"there was more, after:\n{right}"


def test_the_table_of_the_documentation_has_the_clients_that_are_tested():
    assert list(dict.fromkeys(row.client for row in table())) == list(SESSIONS)


def test_in_binary_telnet_gets_back_every_byte_as_it_sent_it(server):
    # In a pipe each key that means something to telnet itself is byte 0, if it is not set.
    keys = ["interrupt", "quit", "flushoutput", "erase", "kill", "eof", "susp"]
    data = b"lone \r, \r\n, \n, \r\0, \xff, " + bytes(set(range(256)) - {ord("\x05")})
    on_the_wire = data.replace(b"\xff", b"\xff\xff")
    words = [program("telnet"), "-8", "-E"]
    with Relay(server.port) as relay, start(*words, stderr=subprocess.DEVNULL) as process:
        commands = [*(f"set {key} ^E" for key in keys), f"open {HOST} -{relay.port}"]
        process.stdin.write("".join(f"{command}\n" for command in commands).encode())
        process.stdin.flush()
        relay.wait_for(
            lambda sent, answered: sent.endswith(b"\xff\xf0") and b"\xff\xfd\0" in answered
        )
        process.stdin.write(data)
        process.stdin.flush()
        relay.wait_for(
            lambda sent, answered: sent.endswith(on_the_wire) and answered.endswith(on_the_wire)
        )
        process.stdin.close()
        relay.take_rest()
    assert relay.answered.data.endswith(on_the_wire)
    assert "WILL BINARY · DO BINARY" in in_words(relay.answered.data)
