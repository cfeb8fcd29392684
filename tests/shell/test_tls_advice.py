"""A server that sends nothing on a port of TLS: the shell advises to use TLS, if that may help."""

from __future__ import annotations

import asyncio

import pytest

from echoproto.client import tls
from echoproto.client.target import Target
from echoproto.shell import tls_advice
from echoproto.shell.tls_advice import TLSAdvice
from in_shell import Recording, in_shell


@pytest.fixture(autouse=True)
def _short(monkeypatch):
    monkeypatch.setattr(tls_advice, "SILENCE", 0)


def test_a_server_that_says_nothing_on_a_port_of_tls_may_wait_for_tls(monkeypatch):
    monkeypatch.setattr(tls, "TLS_PORTS", range(1, 65536))  # no test can listen on the real ones

    async def script(_, peer, screen):
        host, port = peer.address
        await screen.shows(
            f"Nothing came. Port {port} is usually TLS: try Ctrl-] close, then Ctrl-] open "
            f"tls://{host}:{port}"
        )

    in_shell(script)


def advice(target, *happens):
    """What is said when the connection is open, this happens, and time is up."""
    shell = Recording()
    advice = TLSAdvice(shell.session)

    async def main():
        advice.opened(Target.parse(target))
        for each in happens:
            each(advice)
        for _ in range(3):
            await asyncio.sleep(0)  # the timer has its turn

    asyncio.run(main())
    return shell.printed


@pytest.mark.parametrize(
    ("target", "tls"),
    [
        ("mail.test:993", "tls://mail.test:993"),
        ("telnet://host.test:992", "telnets://host.test:992"),
    ],
)
def test_the_target_to_open_is_named(target, tls):
    assert advice(target).endswith(f"open {tls}\n")


@pytest.mark.parametrize("target", ["mail.test:143", "tls://mail.test:993", "unix:/run/443"])
def test_where_tls_is_not_usual_or_is_used_nothing_is_said(target):
    assert advice(target) == ""


@pytest.mark.parametrize(
    "happens",
    [lambda advice: advice.received(b"x"), lambda advice: advice.closed()],
    ids=["a byte", "the end"],
)
def test_after_any_byte_and_after_the_end_nothing_is_said(happens):
    assert advice("mail.test:993", happens) == ""
