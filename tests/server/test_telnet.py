"""The server's half of telnet: bytes in, calls and bytes out; and what is no telnet, untouched."""

from __future__ import annotations

import select
import selectors
import socket
import ssl
import sys
from contextlib import contextmanager

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.internet.testing import StringTransport

import support
from echoproto.server.connection import ServerConnection
from echoproto.server.echo import EchoProtocol
from echoproto.server.protocol import LineProtocol
from echoproto.wire.layer import DataReceived
from echoproto.wire.telnet.codec import MAX_REPLY_EXCESS, TelnetCodec
from echoproto.wire.telnet.commands import Command, TelnetStarted
from echoproto.wire.telnet.negotiation import Policy, Side
from echoproto.wire.telnet.options import SHELL_POLICY, Option
from support import DEADLINE, connect, receive_all, receive_exactly
from telnet_rules import BINARY, ECHO, NAWS, SGA, TIMING_MARK, TTYPE, data_of, received

MEBIBYTE = 1 << 20

IAC, WILL, WONT, DO, DONT = (
    bytes([code]) for code in (Command.IAC, Command.WILL, Command.WONT, Command.DO, Command.DONT)
)
EOF, ABORT, NOP, DM, BRK, IP, AO, AYT, EC, EL = (
    bytes([Command.IAC, Command[name]])
    for name in ("EOF", "ABORT", "NOP", "DM", "BRK", "IP", "AO", "AYT", "EC", "EL")
)
SB, SE = b"\xff\xfa", b"\xff\xf0"

# The shortest greeting that shows telnet, and what refuses it.
HELLO, NO_THANKS = IAC + WILL + ECHO, IAC + DONT + ECHO

YES_I_AM = b"\r\n[yes, the echo server is here]\r\n"


# On real sockets


class Client:
    """A connection; and another to the same server, to know when it has read the first."""

    def __init__(self, sock, other):
        self.sock = sock
        self._other = other

    def say(self, data):
        self.sock.sendall(data)

    def hears(self, data):
        """What comes next is this, and not more than this has come before it."""
        assert receive_exactly(self.sock, len(data)) == data

    def hears_nothing_but(self, data):
        """This comes next, and then nothing until something more is said."""
        self.hears(data)
        self.say(b"!")
        self.hears(b"!")

    def was_read(self):
        """Return when the server has read all that was said: it serves who is ready in turn."""
        for _ in range(2):
            self._other.sendall(b"?\r\n")
            assert receive_exactly(self._other, 3) == b"?\r\n"

    def ends(self):
        """Half-close; all that comes until the server closes."""
        self.sock.shutdown(socket.SHUT_WR)
        return receive_all(self.sock)


@contextmanager
def dialled(server, *, telnet=False):
    with connect(server.port) as sock, connect(server.port) as other:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client = Client(sock, other)
        if telnet:
            client.say(HELLO)
            client.hears(NO_THANKS)
        yield client


@pytest.fixture
def client(server):
    with dialled(server) as it:
        yield it


@pytest.fixture
def telnet(server):
    """A client that has shown that it is telnet."""
    with dialled(server, telnet=True) as it:
        yield it


def in_two(wire):
    """Each way to cut it once."""
    return [(wire[:cut], wire[cut:]) for cut in range(1, len(wire))]


def test_the_server_never_speaks_first(client):
    client.was_read()
    client.say(b"x")
    client.hears(b"x")
    assert client.ends() == b""


def test_every_byte_value_comes_back_untouched_also_one_at_a_time(client):
    for value in [*range(256), 255, 255, 255, 0, 255, 13, 255, 255, 10]:
        client.say(bytes([value]))
        client.hears(bytes([value]))
    assert client.ends() == b""


@pytest.mark.parametrize(
    "message",
    [
        bytes(range(256)) * 300,
        bytes(reversed(range(255))) * 3 + b"\xff",
        "naïve ÿ, ÿ!\r\n".encode("latin-1"),
        "héllo wörld\n".encode("utf-16"),
        "héllo wörld\n".encode("utf-16-le"),
        "h\xff".encode("utf-16"),
        b"\xff" * 9,
        b"\xff\xff\r\0\r\n\n\r",
        EC + EL + NOP + DM + EOF + SB + SE,
        IAC + WONT + ECHO + IAC + DONT + ECHO + SB + TTYPE + b"\0xterm" + SE,
        b"\xffa" + HELLO + AYT,
    ],
)
def test_what_is_not_telnet_comes_back_untouched(server, message):
    with dialled(server) as client:
        client.say(message)
        client.hears(message)
        assert client.ends() == b""
    with dialled(server) as client:
        for value in message[:600]:
            client.say(bytes([value]))
            client.hears(bytes([value]))
        assert client.ends() == b""


def test_a_255_that_ends_a_chunk_is_echoed_at_once(client):
    client.say(b"abc\xff")
    client.hears(b"abc\xff")
    client.say(b"\xff")
    client.hears(b"\xff")
    client.say(b"\xff")
    client.hears(b"\xff")
    client.say(b"d\xff")
    client.hears(b"d\xff")
    assert client.ends() == b""


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        (HELLO, NO_THANKS),
        (IAC + DO + SGA, IAC + WONT + SGA),
        (AYT, YES_I_AM),
        (IP, b""),
        (BRK, b""),
        (AO, b""),
    ],
)
def test_a_255_that_was_echoed_and_began_a_command_is_made_a_nop(server, command, answer):
    with dialled(server) as client:
        client.say(b"abc\xff")
        client.hears(b"abc\xff")
        client.say(command[1:])
        client.hears_nothing_but(NOP[1:] + answer)
        assert client.ends() == b""


def test_what_is_sent_before_telnet_shows_is_left_as_it_is(client):
    plain = b"one\ntwo\rthree\r\0\xff\xff" + EC + EL + IAC + WONT + ECHO
    client.say(plain + HELLO + b"four\nfive\r\0" + IAC * 2)
    client.hears(plain + NO_THANKS + b"four\r\nfive\r\n" + IAC * 2)
    assert client.ends() == b""


PUTTY = bytes.fromhex("fffb1f fffb20 fffb18 fffb27 fffd01 fffb03 fffd03")
TO_PUTTY = bytes.fromhex(
    "fffd1f fffe20 fffd18 fffa1801fff0 fffe27 fffc01 fffe03 fffc03"  # and asks for TTYPE
)


def test_putty_s_greeting_is_answered_byte_for_byte(client):
    client.say(PUTTY)
    client.hears_nothing_but(TO_PUTTY)
    client.say(SB + NAWS + b"\0\x50\0\x18" + SE + SB + TTYPE + b"\0XTERM" + SE + b"hello\r\n")
    client.hears_nothing_but(b"hello\r\n")
    assert client.ends() == b""


def test_a_greeting_may_be_cut_anywhere(server):
    for first, second in in_two(PUTTY):
        with dialled(server) as client:
            client.say(first)
            client.was_read()
            client.say(second + b"x")
            repair = b"\xff\xf1" if first == b"\xff" else b""
            assert client.ends() == repair + TO_PUTTY + b"x"


@pytest.mark.parametrize("enter", [b"\r\n", b"\r\0", b"\n"])
def test_enter_comes_back_as_cr_lf_once(telnet, enter):
    telnet.say(b"hi" + enter)
    telnet.hears_nothing_but(b"hi\r\n")
    telnet.say(enter + b"hi" + enter + enter)
    telnet.hears_nothing_but(b"\r\nhi\r\n\r\n")


@pytest.mark.parametrize("enter", [b"\r\n", b"\r\0", b"\n"])
def test_enter_may_be_cut_anywhere(telnet, enter):
    for first, second in in_two(b"hi" + enter + b"x"):
        telnet.say(first)
        echo = first.replace(b"\r\0", b"\r").replace(b"\r\n", b"\r")
        echo = echo.replace(b"\n", b"\r").replace(b"\r", b"\r\n")
        telnet.hears(echo)
        telnet.say(second)
        telnet.hears_nothing_but(b"hi\r\nx"[len(echo) :])


def test_a_255_that_is_typed_comes_back_doubled(telnet):
    telnet.say(b"a" + IAC * 2 + b"b" + IAC * 4)
    telnet.hears_nothing_but(b"a" + IAC * 2 + b"b" + IAC * 4)
    telnet.say(IAC)
    telnet.was_read()
    telnet.say(IAC + b"c")
    telnet.hears_nothing_but(IAC * 2 + b"c")


def test_timing_mark_is_answered_in_its_place(telnet):
    # What inetutils' telnet sends for Ctrl-C.
    telnet.say(b"before\r\n" + IP + IAC + DO + TIMING_MARK + b"after\r\n")
    telnet.hears_nothing_but(b"before\r\n" + IAC + WILL + TIMING_MARK + b"after\r\n")


def test_ayt_is_answered_with_what_a_person_can_read(telnet):
    telnet.say(b"a" + AYT + b"b")
    telnet.hears_nothing_but(b"a" + YES_I_AM + b"b")


@pytest.mark.parametrize("key", [b"\x03", b"\x15", b"\x1a", b"\x1c"])
def test_the_key_that_putty_sends_after_el_is_no_data(telnet, key):
    telnet.say(b"abc" + EL + key + b"def\r\n" + key + b"\r\n")
    telnet.hears_nothing_but(b"abcdef\r\n" + key + b"\r\n")
    telnet.say(EL)
    telnet.was_read()
    telnet.say(key)
    telnet.was_read()
    telnet.say(key)
    telnet.hears_nothing_but(key)


@pytest.mark.parametrize("command", [EC, IP, NOP])
def test_after_another_command_than_el_a_control_key_is_data(telnet, command):
    telnet.say(b"abc" + command + b"\x03\r\n")
    telnet.hears_nothing_but(b"abc\x03\r\n")


def test_eof_ends_the_connection_when_all_was_echoed(server):
    with dialled(server, telnet=True) as client:
        client.say(b"hello\r\nhalf" + EOF + b"after\r\n" + AYT)
        assert receive_all(client.sock) == b"hello\r\nhalf"


def test_eof_waits_for_a_client_that_is_slow_to_read(server):
    message = b"x" * (8 * MEBIBYTE)
    with dialled(server, telnet=True) as client:
        got = exchange(client.sock, message + EOF)
    assert len(got) == len(message)


def test_half_close_ends_a_telnet_connection_when_all_was_echoed(telnet):
    telnet.say(b"hello\r\nhalf" + IAC)
    assert telnet.ends() == b"hello\r\nhalf"


def test_with_binary_both_ways_every_byte_comes_back_exactly(telnet):
    telnet.say(IAC + WILL + BINARY + IAC + DO + BINARY)
    telnet.hears(IAC + DO + BINARY + IAC + WILL + BINARY)
    everything = bytes(range(256)).replace(IAC, IAC * 2) + b"\r\n\r\0\r\r\n\n" + IAC * 2
    telnet.say(everything * 100)
    telnet.hears(everything * 100)
    for byte in [b"\r", b"\n", b"\r", b"\0", b"\r", b"x", IAC * 2]:
        telnet.say(byte)
        telnet.hears(byte)
    assert telnet.ends() == b""


@pytest.mark.parametrize("urgent", ["inetutils", "PuTTY"])
def test_nothing_is_lost_around_a_synch(server, urgent):
    # The urgent byte is IAC for one, DM for the other.
    for _ in range(20):
        with dialled(server, telnet=True) as client:
            client.say(b"before" + IP)
            if urgent == "inetutils":
                client.sock.send(IAC, socket.MSG_OOB)
                client.say(DM[1:])
            else:
                client.say(IAC)
                client.sock.send(DM[1:], socket.MSG_OOB)
            client.say(b"after\r\n")
            assert client.ends() == b"beforeafter\r\n"


@pytest.mark.parametrize("urgent", ["inetutils", "PuTTY"])
def test_a_synch_may_be_the_first_thing_after_the_greeting(server, urgent):
    with connect(server.port) as sock:
        sock.sendall(HELLO)
        if urgent == "inetutils":
            sock.send(IAC, socket.MSG_OOB)
            sock.sendall(DM[1:] + b"x")
        else:
            sock.sendall(IAC)
            sock.send(DM[1:], socket.MSG_OOB)
            sock.sendall(b"x")
        assert receive_exactly(sock, 4) == NO_THANKS + b"x"


def test_with_telnet_always_it_is_telnet_from_the_first_byte():
    with support.serve("--telnet", "always") as server:
        with dialled(server) as client:
            client.was_read()
            client.say(b"a\n\xff\xffb\r\0")
            client.hears_nothing_but(b"a\r\n\xff\xffb\r\n")
            client.say(IAC + b"z" + EL + b"c")
            client.hears_nothing_but(b"c")
            assert client.ends() == b""
        assert "Traceback" not in server.stop()


def test_with_telnet_never_every_byte_comes_back_whatever_the_client_shows():
    everything = PUTTY + AYT + IP + bytes(range(256)) + HELLO + EOF + b"\r\n\r\0\xff"
    with support.serve("-t", "never") as server:
        with dialled(server) as client:
            client.say(everything)
            client.hears(everything)
            for value in everything:
                client.say(bytes([value]))
                client.hears(bytes([value]))
            assert client.ends() == b""
        assert "speaks telnet" not in server.stop()


def test_in_line_mode_ec_and_el_take_back_what_was_not_echoed_yet():
    with support.serve("--mode", "line") as server:
        with dialled(server, telnet=True) as client:
            client.say(b"one\r\ntwx" + EC + "ö€".encode() + EC + EC + b"o\r\n")
            client.hears(b"one\r\ntwo\r\n")
            client.say(b"three" + EL + b"four\r\n" + EC + EC + EL + b"five\n")
            client.hears(b"four\r\nfive\r\n")
            for command in (EL, IP, BRK, ABORT):
                client.say(b"gone" + command + b"here\r\0")
                client.hears(b"here\r\n")
            client.say(b"gone")
            client.was_read()
            client.say(EL[:1])
            client.was_read()
            client.say(EL[1:])
            client.was_read()
            client.say(b"here\r\n")
            client.hears(b"here\r\n")
            assert client.ends() == b""
        assert "Traceback" not in server.stop()


def test_in_line_mode_what_was_erased_does_not_come_back_at_the_end():
    with support.serve("--mode", "line") as server, dialled(server, telnet=True) as client:
        client.say(b"no end" + EC)
        assert client.ends() == b"no en"


def test_the_log_has_the_lines_as_they_were_typed_and_who_speaks_telnet():
    with support.serve("--log-lines") as server:
        with dialled(server) as client:
            client.say(b"plain\r\n" + PUTTY + b"he" + NOP + b"l" + AYT + b"lo\r")
            client.was_read()
            client.say(b"\0" + SB + NAWS + b"\0\x0a\0\x0a" + SE + b"\xff\xffx\r\n")
            client.say(b"gone" + EL + b"\x03wrong" + EC * 5 + b"right\r\n")
            client.ends()
        server.log.wait_for("disconnected", 2)
        log = server.stop()
    said = [line.partition("#info] ")[2] for line in log.splitlines() if "[1]" in line]
    assert said[1:-1] == [
        "[1] b'plain'",
        "[1] speaks telnet",
        "[1] b'hello'",
        r"[1] b'\xffx'",
        "[1] b'right'",
    ]
    assert "disconnected: 4 lines" in said[-1]
    assert "[2] speaks telnet" not in log
    assert "Traceback" not in log


# Floods

SUBNEGOTIATIONS = [
    SB + TTYPE + b"\0" + b"x" * 50 + SE,
    SB + NAWS + b"\0" * 3 + SE,
    SB + b"\x27" + b"y" * 5000 + SE,
    SB + SE,
    SB + TTYPE + b"\1" + SE,
]
GARBAGE = (
    b"".join(IAC + verb + bytes([n]) for n in range(255) for verb in (DO, WILL, DONT, WONT))
    + (IAC + WILL + TTYPE + IAC + WONT + TTYPE) * 50
    + AYT * 300
    + b"".join(SUBNEGOTIATIONS)
    + (IAC + DO + TIMING_MARK) * 100
    + (EC + EL + IP + DM + NOP) * 50
)


def exchange(sock, data, *, every=0, do=None):
    """Send it all, half-close, and receive all meanwhile; `do` is done each `every` bytes."""
    got = bytearray()
    left = memoryview(data)
    done = 0
    sock.setblocking(False)
    with selectors.DefaultSelector() as selector:
        selector.register(sock, selectors.EVENT_READ | selectors.EVENT_WRITE)
        while True:
            ready = selector.select(DEADLINE)
            assert ready, f"nothing more after {len(got)} bytes"
            if ready[0][1] & selectors.EVENT_READ:
                more = sock.recv(65536)
                if not more:
                    return bytes(got)
                got += more
            if left and ready[0][1] & selectors.EVENT_WRITE:
                left = left[sock.send(left[:65536]) :]
                if not left:
                    sock.shutdown(socket.SHUT_WR)
                    selector.modify(sock, selectors.EVENT_READ)
            if do and len(data) - len(left) >= done + every:
                done = len(data) - len(left)
                do()


def flood(garbage, size):
    return HELLO + garbage * (size // len(garbage) + 1)


@pytest.mark.parametrize("options", [[], ["--mode", "line", "--log-lines"]])
def test_a_flood_of_negotiation_costs_no_memory_and_no_other_client(options):
    with support.serve(*options) as server:
        with connect(server.port) as sock, connect(server.port) as other:
            sock.sendall(HELLO)
            receive_exactly(sock, len(NO_THANKS))
            before = server.memory()
            most = [before]

            def look():
                other.sendall(b"still there?\n")
                assert receive_exactly(other, 13) == b"still there?\n"
                most.append(server.memory())

            sent = flood(GARBAGE, 2 * MEBIBYTE)
            got = exchange(sock, sent, every=MEBIBYTE // 8, do=look)
        assert len(most) > 8
        assert max(most) - before < 8 * MEBIBYTE
        assert len(got) <= len(sent) + MAX_REPLY_EXCESS
        assert "Traceback" not in server.stop()


def takes_more(sock, other):
    """Whether the server reads on. While it does, it reads from each in turn, 64 KiB at a time."""
    for _ in range(256):  # of which the system's buffers hold fewer
        if select.select([], [sock], [], 0)[1]:
            return True
        other.sendall(b"?")
        assert receive_exactly(other, 1) == b"?"
    return False


@pytest.mark.parametrize(
    "garbage", [b"".join(IAC + DO + bytes([n]) for n in range(5, 255)), b"hello\n" + AYT]
)
def test_a_flood_from_a_client_that_never_reads_costs_no_memory(garbage):
    with support.serve() as server:
        with socket.socket() as greedy, connect(server.port) as other:
            # Little that the system keeps, so that what is sent is soon for the server to keep.
            greedy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            greedy.connect(("127.0.0.1", server.port))
            other.sendall(b"x")
            receive_exactly(other, 1)
            before = server.memory()
            data = memoryview(flood(garbage, 16 * MEBIBYTE))
            greedy.setblocking(False)
            sent = 0
            while sent < len(data) and takes_more(greedy, other):
                sent += greedy.send(data[sent : sent + 65536])
            assert sent < len(data), "all was taken: where is it?"
            other.sendall(b"still there?")
            assert receive_exactly(other, 12) == b"still there?"
            assert server.memory() - before < 8 * MEBIBYTE
        assert "Traceback" not in server.stop()


def test_a_subnegotiation_that_never_ends_costs_no_memory():
    with support.serve() as server:
        with connect(server.port) as sock:
            sock.sendall(HELLO)
            receive_exactly(sock, len(NO_THANKS))
            before = server.memory()
            sock.sendall(SB + TTYPE + b"x" * (32 * MEBIBYTE))
            # What is left is in the system's buffers, of which there are only so many.
            assert server.memory() - before < 8 * MEBIBYTE
            sock.sendall(SE + b"hello")
            assert receive_exactly(sock, 5) == b"hello"
        assert "Traceback" not in server.stop()


# Other listeners


def test_with_telnet_always_on_tls_eof_ends_the_connection(certificate):
    where = f"ssl:0:interface=127.0.0.1:privateKey={certificate}"
    context = ssl.create_default_context(cafile=certificate)
    context.check_hostname = False
    with support.serve("--telnet", "always", listen=[where]) as server:
        with context.wrap_socket(connect(server.port)) as sock:
            sock.sendall(b"hello\n" + EOF)
            assert receive_all(sock) == b"hello\r\n"
        assert "Traceback" not in server.stop()


def test_telnet_on_tls(tls_server, certificate):
    context = ssl.create_default_context(cafile=certificate)
    context.check_hostname = False
    with context.wrap_socket(connect(tls_server.port)) as sock:
        sock.sendall(b"plain\n" + PUTTY + b"hello\n" + IAC * 2 + b"\r\0" + AYT)
        expected = b"plain\n" + TO_PUTTY + b"hello\r\n" + IAC * 2 + b"\r\n" + YES_I_AM
        assert receive_exactly(sock, len(expected)) == expected
        sock.sendall(b"bye" + EOF)
        assert receive_all(sock) == b"bye"


def test_telnet_on_a_unix_socket(tmp_path):
    path = tmp_path / "echo.sock"
    with support.serve(listen=[f"unix:{path}"]) as server:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(DEADLINE)
            sock.connect(str(path))
            sock.sendall(b"plain\n" + PUTTY + b"hello\n" + IAC * 2)
            expected = b"plain\n" + TO_PUTTY + b"hello\r\n" + IAC * 2
            assert receive_exactly(sock, len(expected)) == expected
            sock.shutdown(socket.SHUT_WR)
            assert receive_all(sock) == b""
        assert "Traceback" not in server.stop()


STARTTLS = """
import sys
from twisted.internet import reactor, ssl
from echoproto.server.factory import LineFactory
from echoproto.server.protocol import LineProtocol

class StartTLS(LineProtocol):
    def lineReceived(self, line):
        if line == b"starttls":
            self.sendLine(b"go ahead")
            self.transport.startTLS(ssl.DefaultOpenSSLContextFactory(sys.argv[1], sys.argv[1]))
        elif line == b"quit":
            self.sendLine(b"\\xff" * 1_000_000)
            self.transport.loseConnection()
        else:
            self.sendLine(line)

port = reactor.listenTCP(0, LineFactory(StartTLS), interface="127.0.0.1")
print("port", port.getHost().port, flush=True)
reactor.run()
"""


def test_start_tls_in_a_telnet_connection(certificate):
    with support.start(sys.executable, "-c", STARTTLS, certificate) as process:
        port = int(process.stdout.readline().split()[1])
        with connect(port) as sock:
            sock.sendall(HELLO + b"starttls\r\n")
            answer = NO_THANKS + b"go ahead\r\n"
            assert receive_exactly(sock, len(answer)) == answer
            context = ssl.create_default_context(cafile=certificate)
            context.check_hostname = False
            with context.wrap_socket(sock) as secure:
                secure.sendall(b"\xff\xff\r\0" + IAC + DO + SGA)
                answer = b"\xff\xff\r\n" + IAC + WONT + SGA
                assert receive_exactly(secure, len(answer)) == answer
                secure.sendall(b"quit\r\n")
                assert len(receive_all(secure)) == 2_000_002


# A protocol of one's own


class Recorder(LineProtocol):
    """Keeps what it is given; a line that names something to do does it."""

    def __init__(self):
        self.calls = []

    def lineReceived(self, line):
        self.calls.append(line)
        match line:
            case b"raw":
                self.setRawMode()
            case b"pause":
                self.pauseProducing()
            case b"blink":
                self.pauseProducing()
                self.resumeProducing()
            case b"blink raw":
                self.pauseProducing()
                self.resumeProducing()
                self.setRawMode()
            case b"close":
                self.transport.loseConnection()
            case b"fail":
                raise RuntimeError(line)

    def rawDataReceived(self, data):
        self.calls.append(("raw", data))
        if data.endswith(b"."):
            self.setLineMode()

    def windowSizeChanged(self, columns, rows):
        self.calls.append(("window", columns, rows))

    def terminalTypeReceived(self, name):
        self.calls.append(("terminal", name))

    def telnetOptionChanged(self, side, option, *, on):
        self.calls.append((side, option, on))

    def telnetCommandReceived(self, command):
        self.calls.append(("command", command))


def connected(protocol=None, *chunks):
    """A protocol that has received `chunks`, and what it has for a transport."""
    protocol = protocol or Recorder()
    wire = StringTransport()
    ServerConnection(protocol).makeConnection(wire)
    for chunk in chunks:
        protocol.transport.dataReceived(chunk)
    return protocol, wire


def test_line_received_sees_lines_freed_of_telnet():
    protocol, wire = connected(
        None, b"pl\xff\xffain\r\n" + HELLO + b"o" + NOP + b"n" + IAC + DONT + SGA + b"e\r\0t\xff"
    )
    protocol.transport.dataReceived(b"\xffwo\r\nthree\rfour\n")
    assert [call for call in protocol.calls if isinstance(call, bytes)] == [
        b"pl\xff\xffain",
        b"one",
        b"t\xffwo",
        b"three",
        b"four",
    ]
    assert wire.value() == NO_THANKS
    assert protocol.lines_received == 5


def test_what_is_sent_is_escaped_once_the_client_has_shown_telnet_and_not_before():
    def send(protocol):
        protocol.sendLine(b"\xff")
        protocol.transport.write(b"a\rb\xff")
        protocol.transport.writeSequence([b"\r", b"\n\xff", b"\r"])

    protocol, wire = connected()
    send(protocol)
    assert wire.value() == b"\xff\r\na\rb\xff\r\n\xff\r"
    wire.clear()
    protocol.transport.dataReceived(HELLO)
    send(protocol)
    assert wire.value() == NO_THANKS + b"\xff\xff\r\na\r\0b\xff\xff\r\n\xff\xff\r\0"


def test_a_client_that_has_shown_that_it_is_not_telnet_stays_plain():
    protocol, wire = connected(None, b"\xffa\n", HELLO + AYT + b"\n")
    protocol.sendLine(b"\xff")
    assert protocol.calls == [b"\xffa", HELLO + AYT]
    assert wire.value() == b"\xff\r\n"


def test_with_telnet_always_what_is_sent_first_is_escaped():
    class Greeting(Recorder):
        telnet = "always"

        def connectionMade(self):
            self.sendLine(b"hello \xff")

    protocol, wire = connected(Greeting())
    assert wire.value() == b"hello \xff\xff\r\n"
    protocol.requestTelnetOption(Side.REMOTE, Option.NAWS, on=True)
    protocol.transport.dataReceived(IAC * 2 + b"\r\n")
    assert wire.value() == b"hello \xff\xff\r\n" + IAC + DO + NAWS
    assert protocol.calls == [b"\xff"]


def test_with_telnet_always_options_can_be_asked_for_as_soon_as_telnet_begins():
    class Asking(Recorder):
        telnet = "always"

        def connectionMade(self):
            self.calls.append("made")

        def telnetStarted(self):
            self.calls.append(("begins", self.is_telnet))
            self.requestTelnetOption(Side.REMOTE, Option.NAWS, on=True)

    protocol, wire = connected(Asking())
    assert protocol.calls == ["made", ("begins", True)]
    assert wire.value() == IAC + DO + NAWS


@pytest.mark.parametrize("entry", [option.entry for option in Option if option.entry.callback])
def test_what_an_option_tells_has_its_place_in_line_protocol(entry):
    assert hasattr(LineProtocol, entry.attribute)
    assert callable(getattr(LineProtocol, entry.callback))


def test_the_window_s_size_and_the_terminal_s_type_are_told_and_kept():
    protocol, wire = connected()
    assert (protocol.window_size, protocol.terminal_type) == (None, None)
    protocol.transport.dataReceived(PUTTY)
    protocol.transport.dataReceived(SB + NAWS + b"\0\x50\0\x18" + SE)
    protocol.transport.dataReceived(SB + TTYPE + b"\0XTERM-256COLOR" + SE)
    protocol.transport.dataReceived(SB + NAWS + b"\1\xff\xff\0\0" + SE)
    assert protocol.calls == [
        (Side.REMOTE, Option.NAWS, True),
        (Side.REMOTE, Option.TTYPE, True),
        ("window", 80, 24),
        ("terminal", "XTERM-256COLOR"),
        ("window", 511, 0),
    ]
    assert protocol.window_size == (511, 0)
    assert protocol.terminal_type == "XTERM-256COLOR"
    assert wire.value() == TO_PUTTY


@pytest.mark.parametrize(
    "content",
    [
        NAWS,
        NAWS + b"\0\x50\0",
        NAWS + b"\0\x50\0\x18\0",
        TTYPE,
        TTYPE + b"\0",
        TTYPE + b"\1",
        TTYPE + b"\1XTERM",
        TTYPE + b"\0XT ERM",
        TTYPE + b"\0\x1b[2J",
        TTYPE + b"\0XT\xff\xff",
        TTYPE + b"\0" + b"x" * 41,
        b"\x27\0USER",
    ],
)
def test_a_window_or_a_terminal_that_is_not_well_formed_is_ignored(content):
    protocol, wire = connected(None, HELLO + SB + content + SE + b"line\r\n")
    assert protocol.calls == [b"line"]
    assert (protocol.window_size, protocol.terminal_type) == (None, None)
    assert wire.value() == NO_THANKS


def test_commands_are_told_where_they_stand_among_the_lines():
    protocol, wire = connected(None, HELLO + b"a\n" + NOP + b"b\n" + AYT + IAC + b"\x07c\n")
    assert protocol.calls == [
        b"a",
        ("command", Command.NOP),
        b"b",
        ("command", Command.AYT),
        ("command", 7),
        b"c",
    ]
    assert wire.value() == NO_THANKS + b"\r\n[yes, I am here]\r\n"


@pytest.mark.parametrize("command", [EL, IP, BRK, ABORT])
def test_a_command_takes_back_the_line_that_has_no_end_yet(command):
    protocol, _ = connected(None, HELLO + b"one\r\ngone", command + b"two\r\n")
    assert protocol.calls == [b"one", ("command", command[1]), b"two"]


def test_ec_takes_back_one_character_of_the_line_that_has_no_end_yet():
    protocol, _ = connected(None, HELLO + b"one\r\n" + EC + "tö".encode() + EC, b"wox", EC + b"\n")
    assert [call for call in protocol.calls if isinstance(call, bytes)] == [b"one", b"two"]


def test_ec_takes_back_one_character_also_with_a_delimiter_of_one_s_own():
    class CrLf(Recorder):
        delimiter = b"\r\n"

    protocol, wire = connected(
        CrLf(), HELLO + b"a\nb\r", b"\n", b"c\r" + EC + b"d" + EL + b"e\nf\r\n"
    )
    assert [call for call in protocol.calls if isinstance(call, bytes)] == [b"a\nb", b"e\nf"]
    protocol.sendLine(b"\xff\r")
    assert wire.value() == NO_THANKS + b"\xff\xff\r\0\r\n"


def test_with_an_exact_delimiter_telnet_s_cr_nul_is_a_bare_cr():
    class CrLf(Recorder):
        delimiter = b"\r\n"

    protocol, _ = connected(CrLf(), HELLO + b"a\r\0b\nc\r\n")
    assert protocol.calls == [b"a\rb\nc"]


def test_an_option_can_be_asked_for_and_the_answer_is_told():
    protocol, wire = connected(None, HELLO)
    wire.clear()
    protocol.requestTelnetOption(Side.LOCAL, Option.ECHO, on=True)
    protocol.requestTelnetOption(Side.LOCAL, Option.ECHO, on=True)
    assert wire.value() == IAC + WILL + ECHO
    assert protocol.calls == []
    protocol.transport.dataReceived(IAC + DO + ECHO)
    assert protocol.calls == [(Side.LOCAL, Option.ECHO, True)]
    protocol.requestTelnetOption(Side.REMOTE, Option.SGA, on=True)
    protocol.transport.dataReceived(IAC + WONT + SGA)
    protocol.transport.dataReceived(IAC + DONT + ECHO)
    assert protocol.calls == [(Side.LOCAL, Option.ECHO, True), (Side.LOCAL, Option.ECHO, False)]
    assert wire.value() == IAC + WILL + ECHO + IAC + DO + SGA + IAC + WONT + ECHO


@pytest.mark.parametrize("chunks", [[], [b"hello\n"], [b"\xff"], [b"\xffa\n"], [b"\xff\xff"]])
def test_an_option_is_not_asked_for_on_a_connection_that_is_plain(chunks):
    protocol, wire = connected(None, *chunks)
    with pytest.raises(ValueError, match="has not shown that it is telnet"):
        protocol.requestTelnetOption(Side.LOCAL, Option.ECHO, on=True)
    assert wire.value() == b""


def test_a_policy_of_one_s_own_is_what_is_agreed_to():
    class Echoing(Recorder):
        telnet_policy = Policy(local=frozenset([Option.ECHO]))

    protocol, wire = connected(Echoing(), IAC + DO + ECHO + IAC + WILL + NAWS)
    assert protocol.calls == [(Side.LOCAL, Option.ECHO, True)]
    assert wire.value() == IAC + WILL + ECHO + IAC + DONT + NAWS


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


def test_half_close_while_paused_loses_nothing_that_came_before():
    protocol, wire = connected(None, HELLO, b"pause\n" + NOP + b"two\n" + NOP + b"three\n")
    protocol.transport.readConnectionLost()
    assert not wire.disconnecting
    protocol.resumeProducing()
    lines = [call for call in protocol.calls if isinstance(call, bytes)]
    assert lines == [b"pause", b"two", b"three"]
    assert wire.disconnecting


def test_what_comes_after_the_connection_is_closed_is_nothing():
    protocol, wire = connected(
        None, HELLO + b"close\n" + SB + NAWS + b"\0\x50\0\x18" + SE + AYT + b"line\n"
    )
    assert protocol.calls == [b"close"]
    assert wire.value() == NO_THANKS


def test_in_binary_a_control_byte_after_el_is_data():
    protocol, _ = connected(None, IAC + WILL + BINARY + EL + b"\x03line\n")
    assert protocol.calls[-1] == b"\x03line"


def test_what_is_written_and_then_closed_is_written_in_order():
    class Bye(Recorder):
        def lineReceived(self, _):
            self.sendLine(b"bye\xff")
            self.transport.loseConnection()

    _, wire = connected(Bye(), HELLO, IAC + DO + TIMING_MARK + b"quit\n" + IAC + DO + TIMING_MARK)
    assert wire.value() == NO_THANKS + IAC + WILL + TIMING_MARK + b"bye\xff\xff\r\n"
    assert wire.disconnecting


def test_a_chunk_of_many_commands_is_answered_in_one_write():
    class Counting(StringTransport):
        writes = 0

        def write(self, data):
            self.writes += 1
            super().write(data)

    wire = Counting()
    protocol = EchoProtocol()
    ServerConnection(protocol).makeConnection(wire)
    protocol.transport.dataReceived(HELLO)
    before = wire.writes
    protocol.transport.dataReceived((b"x" + NOP + IAC + DO + TIMING_MARK) * 1000)
    assert wire.writes == before + 1
    assert wire.value() == NO_THANKS + (b"x" + IAC + WILL + TIMING_MARK) * 1000


def test_raw_data_that_was_held_by_a_pause_is_not_taken_for_telnet():
    protocol, wire = connected(None, b"pause\nraw\n" + RAW)
    protocol.resumeProducing()
    assert protocol.calls[:2] == [b"pause", b"raw"]
    assert b"".join(data for _, data in protocol.calls[2:]) == RAW
    assert wire.value() == b""


@pytest.mark.parametrize("greeting", [b"", HELLO])
def test_no_line_comes_after_closing_in_the_middle_of_a_chunk(greeting):
    protocol, wire = connected(None, greeting + b"close\ntwo\n" + HELLO + b"three\n" + EOF)
    protocol.transport.dataReceived(b"four\n" + NOP + b"five\n")
    assert [call for call in protocol.calls if isinstance(call, bytes)] == [b"close"]
    assert wire.disconnecting


def test_an_exception_in_line_received_leaves_telnet_in_order():
    protocol, wire = connected(None, HELLO)
    with pytest.raises(RuntimeError):
        protocol.transport.dataReceived(b"fail\n" + IAC + DO + SGA + b"next\n")
    protocol.transport.dataReceived(b"\xff")
    protocol.transport.dataReceived(b"\xfflast\n")
    assert protocol.calls == [b"fail", b"next", b"\xfflast"]
    assert wire.value() == NO_THANKS + IAC + WONT + SGA


def test_eof_delivers_what_is_left_then_closes_and_nothing_follows():
    protocol, wire = connected(None, HELLO + b"one\ntwo\n" + EOF + b"three\n" + NOP + AYT)
    protocol.transport.dataReceived(b"four\n" + AYT)
    assert protocol.calls == [b"one", b"two", ("command", Command.EOF)]
    assert wire.disconnecting
    assert wire.value() == NO_THANKS


def test_eof_while_paused_closes_when_what_was_held_is_delivered():
    protocol, wire = connected(None, HELLO + b"pause\ntwo\n" + EOF + b"three\n")
    assert not wire.disconnecting
    protocol.resumeProducing()
    assert protocol.calls == [b"pause", b"two", ("command", Command.EOF)]
    assert wire.disconnecting


def test_half_close_after_eof_is_told_once_and_the_rest_can_still_be_sent():
    class Late(Recorder):
        def peerHalfClosed(self):
            self.calls.append("half-closed")

    protocol, wire = connected(Late(), HELLO + b"one\n" + EOF)
    protocol.transport.readConnectionLost()
    protocol.sendLine(b"\xff")
    assert protocol.calls == [b"one", ("command", Command.EOF), "half-closed"]
    assert not wire.disconnecting
    assert wire.value() == NO_THANKS + b"\xff\xff\r\n"


def test_eof_on_a_plain_connection_is_data():
    protocol, wire = connected(None, b"a" + EOF + b"b\n")
    assert protocol.calls == [b"a" + EOF + b"b"]
    assert not wire.disconnecting


def test_in_line_mode_a_last_255_without_a_line_end_comes_back_at_the_end():
    with support.serve("--mode", "line") as server:
        with connect(server.port) as sock:
            sock.sendall(b"no end\xff")
            sock.shutdown(socket.SHUT_WR)
            assert receive_all(sock) == b"no end\xff"
        server.log.wait_for(r"\[1\].* disconnected: 0 lines, 7 bytes")


def test_a_255_that_waits_when_the_client_half_closes_is_data():
    class Last(Recorder):
        def peerHalfClosed(self):
            self.calls.append(("last", self.clearLineBuffer()))

    protocol, _ = connected(Last(), b"line\nno end\xff")
    protocol.transport.readConnectionLost()
    assert protocol.calls == [b"line", ("last", b"no end\xff")]


# The echo, without sockets


def echo(*chunks, mode="stream", **kwargs):
    """A protocol, and what it has sent for `chunks`."""
    protocol, wire = connected(EchoProtocol(mode, **kwargs), *chunks)
    return protocol, wire.value()


@pytest.mark.parametrize("log_lines", [False, True])
def test_lines_of_a_telnet_client_are_counted_as_typed(log_lines):
    chunks = [b"a\n" + HELLO + b"b\r\0c\r\n", b"d\r", b"\0", b"\r", b"\n\n"]
    protocol, _ = echo(*chunks, log_lines=log_lines)
    assert protocol.lines_received == (6 if log_lines else None)


def test_a_cr_before_binary_takes_no_lf_after_it():
    on, off = IAC + WILL + BINARY, IAC + WONT + BINARY
    _, sent = echo(HELLO + b"a\r" + on + b"x" + off + b"\nb")
    assert data_of(received(TelnetCodec(SHELL_POLICY), sent)) == b"a\r\nx\r\nb"


def test_in_line_mode_the_cr_before_what_was_erased_takes_no_lf_after_it():
    _, sent = echo(HELLO + b"a\rb" + EL + b"\nc\n", mode="line")
    assert sent == NO_THANKS + b"a\r\n\r\nc\r\n"


def test_in_line_mode_a_line_that_is_too_long_comes_back_in_pieces():
    long = b"x" * (EchoProtocol.MAX_LENGTH + 2)
    _, sent = echo(HELLO + b"a\r", long + b"\n", b"\nc\n", mode="line")
    assert sent == NO_THANKS + b"a\r\n" + long + b"\r\n\r\nc\r\n"
    _, sent = echo(HELLO + long, b"yz" + EC + b"\r\n", mode="line")
    assert sent == NO_THANKS + long + b"y\r\n"


# Few different pieces, so that they are often met and often cut.
PIECES = st.sampled_from(
    [
        *(b"a", b"\r", b"\n", b"\0", b"\x03", b"\xff", b"\xff\xff", "é".encode()),
        *(NOP, DM, AYT, EC, EL, IP, BRK, EOF, SE, HELLO, IAC + DO + SGA, IAC + DONT + SGA),
        *(IAC + verb + BINARY for verb in (WILL, WONT, DO, DONT)),
        IAC + DO + TIMING_MARK,
        SB + NAWS + b"\0\xff\xff\0\1" + SE,
        SB + TTYPE + b"\0xterm" + SE,
    ]
)
STREAMS = st.lists(PIECES, max_size=12).map(b"".join)
CUTS = st.lists(st.integers(0, 40), max_size=12)


def cut(stream, cuts):
    cuts = sorted({at for at in cuts if 0 < at < len(stream)})
    return [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True) if a < b]


def plain_part(stream):
    """What comes before telnet shows; None if it never does."""
    codec = TelnetCodec(Policy(), mode="auto")
    before = b""
    for event in received(codec, stream):
        if isinstance(event, TelnetStarted):
            return before
        if isinstance(event, DataReceived):
            before += event.data
    return None


def whole_lines(stream):
    end = max(stream.rfind(b"\n"), stream.rfind(b"\r")) + 1
    return stream[: end + (stream[end - 1 : end + 1] == b"\r\0")]


@settings(max_examples=500)
@given(STREAMS, CUTS, st.sampled_from(["stream", "line"]), st.booleans())
@example(b"a" + HELLO + b"b", [2], "stream", False)
@example(b"\xff" + HELLO, [1], "stream", False)
@example(HELLO + b"\r\n\r\0\n", [4, 6], "stream", True)
@example(HELLO + IAC + WILL + BINARY + b"\r\n", [7], "line", True)
def test_however_a_stream_is_cut_the_client_reads_the_same_echo(stream, cuts, mode, log_lines):
    protocol, sent = echo(*cut(stream, cuts), mode=mode, log_lines=log_lines)
    same, sent_whole = echo(stream, mode=mode, log_lines=log_lines)
    plain = plain_part(stream)
    expected = stream if plain is None else plain
    if mode == "line":
        expected = whole_lines(expected)
    if plain is None:
        assert not protocol.is_telnet
        assert sent == sent_whole == expected
    else:
        assert sent.startswith(expected)
        assert sent_whole.startswith(expected)
        # A client that is telnet knows it from the first command that it sent on.
        client, other = TelnetCodec(SHELL_POLICY), TelnetCodec(SHELL_POLICY)
        read = received(client, sent[len(expected) :])
        assert data_of(read) == data_of(received(other, sent_whole[len(expected) :]))
        assert client.pending == b""
        assert client.options(Side.REMOTE) == other.options(Side.REMOTE)
        assert protocol.transport.disconnecting == same.transport.disconnecting
    assert protocol.lines_received == same.lines_received
    assert protocol.transport.bytes_received == len(stream)


def repaired(sent):
    """Without the NOP that an echoed 255 was made."""
    return sent.replace(NOP, b"")


@given(STREAMS, CUTS)
def test_a_repair_is_all_that_a_cut_adds(stream, cuts):
    # Where a line end is not cut, the bytes are the same but for the repair.
    stream = stream.replace(b"\r", b"")
    _, sent = echo(*cut(stream, cuts))
    _, sent_whole = echo(stream)
    assert len(sent) - len(sent_whole) in (0, len(NOP))
    assert repaired(sent) == repaired(sent_whole)


@given(STREAMS, CUTS, st.sampled_from([b"\n", b"\r\n"]))
def test_however_a_stream_is_cut_the_calls_are_the_same(stream, cuts, delimiter):
    def calls(*chunks):
        protocol = Recorder()
        if delimiter == b"\r\n":
            protocol.delimiter = delimiter
        return connected(protocol, *chunks)[0].calls

    assert calls(*cut(stream, cuts)) == calls(stream)


@given(st.lists(st.binary(max_size=30), max_size=10), st.sampled_from(["auto", "always", "never"]))
def test_no_bytes_make_it_raise(chunks, telnet):
    for mode in ("stream", "line"):
        protocol, sent = echo(*chunks, mode=mode, telnet=telnet)
        stream = b"".join(chunks)
        assert protocol.transport.bytes_received == len(stream)
        if telnet == "never":
            assert sent == (stream if mode == "stream" else whole_lines(stream))


@pytest.mark.parametrize("ahead", [False, True])
def test_going_on_after_a_pause_is_not_data(ahead):
    chunks = [b"x\xff", b"\xf1y"] if ahead else [HELLO + b"x\r", b"\ny"]
    protocol, wire = connected(EchoProtocol(), chunks[0])
    wire.producer.pauseProducing()
    wire.producer.resumeProducing()
    protocol.transport.dataReceived(chunks[1])
    assert wire.value() == (b"x\xff\xf1y" if ahead else NO_THANKS + b"x\r\ny")
