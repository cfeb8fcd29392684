"""When nothing takes the connection, the message says what else is there, if that is true."""

from __future__ import annotations

import asyncio
import socket

import pytest

from echoproto.client.hints import refusal_hint
from echoproto.client.target import Target
from support import fails, has_ipv6

REFUSED = ConnectionRefusedError()


@pytest.mark.skipif(not has_ipv6(), reason="there is no IPv6 here")
@pytest.mark.parametrize(
    ("given", "family", "listens"),
    [
        ("127.0.0.1", socket.AF_INET6, "::1"),
        ("[::1]", socket.AF_INET, "127.0.0.1"),
    ],
)
def test_another_loopback_address_that_answers_is_named(given, family, listens):
    with socket.create_server((listens, 0), family=family) as listener:
        port = listener.getsockname()[1]
        said = fails(f"{given}:{port}")
    where = Target(listens, port).name
    assert said == (
        f"echoproto: cannot connect to {given}:{port}: Connection refused, but {where} answers"
    )


def test_where_nothing_answers_nothing_is_added():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert fails(f"127.0.0.1:{port}").endswith(": Connection refused")


@pytest.mark.parametrize(
    ("host", "port", "hint"),
    [
        ("127.0.0.1", 2020, "; twistd echo listens there by default: is it running?"),
        ("localhost", 2020, "; twistd echo listens there by default: is it running?"),
        ("192.0.2.1", 2020, ""),
        ("127.0.0.1", 2021, ""),
    ],
)
def test_on_the_default_port_of_this_machine_the_server_is_named(host, port, hint, monkeypatch):
    async def refuse(*_):
        raise ConnectionRefusedError

    async def main():
        monkeypatch.setattr(asyncio.get_running_loop(), "sock_connect", refuse)
        return await refusal_hint(Target(host, port), REFUSED)

    assert asyncio.run(main()) == hint


def test_a_hint_is_given_only_for_a_refusal():
    hint = refusal_hint(Target("127.0.0.1", 2020), TimeoutError())
    assert asyncio.run(hint) == ""


def test_a_path_that_is_no_socket_is_said_to_be_none(tmp_path):
    (tmp_path / "file").touch()
    assert fails(f"unix:{tmp_path}/file") == (
        f"echoproto: cannot connect to {tmp_path}/file: Connection refused: it is not a socket"
    )


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        (socket.SOCK_STREAM, "Connection refused: no process listens on this socket any more"),
        (
            socket.SOCK_DGRAM,
            "Protocol wrong type for socket: it is a socket of another type than SOCK_STREAM",
        ),
    ],
    ids=["left behind", "datagrams"],
)
def test_a_unix_socket_that_takes_no_connection_is_explained(kind, why, tmp_path):
    path = tmp_path / "sock"
    with socket.socket(socket.AF_UNIX, kind) as sock:
        sock.bind(str(path))
        if kind == socket.SOCK_STREAM:
            sock.close()
        assert fails(f"unix:{path}") == f"echoproto: cannot connect to {path}: {why}"


def test_a_path_that_does_not_exist_needs_no_hint(tmp_path):
    assert fails(f"unix:{tmp_path}/no").endswith(f"{tmp_path}/no: No such file or directory")
