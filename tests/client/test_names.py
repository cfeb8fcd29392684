"""Which name a host is looked up under, and what can be no host."""

from __future__ import annotations

import pytest

from echoproto.client.names import ascii_name
from echoproto.errors import TargetError


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("faß.test", "xn--fa-hia.test"),  # fass.test in IDNA 2003
        ("FAß.Test", "xn--fa-hia.test"),
        ("βόλος.com", "xn--nxasmm1c.com"),
        ("Bücher.example.", "xn--bcher-kva.example."),
        ("例え。テスト", "xn--r8jz45g.xn--zckzah"),
        ("ＬＯＣＡＬｈｏｓｔ", "localhost"),  # noqa: RUF001
        ("_sip.bücher.test", "_sip.xn--bcher-kva.test"),
        ("-.bücher.test", "-.xn--bcher-kva.test"),
        # What is in ASCII stays as it is.
        ("my_host", "my_host"),
        ("LocalHost.", "LocalHost."),
        ("-a-.b--c", "-a-.b--c"),
        ("xn--fa-hia.test", "xn--fa-hia.test"),
        ("xn--", "xn--"),
        ("127.1", "127.1"),
        ("a" * 63 + ".test", "a" * 63 + ".test"),
        (".".join(["a" * 49] * 5) + ".xyz.", ".".join(["a" * 49] * 5) + ".xyz."),
        ("::1", "::1"),
        ("fe80::1%eth0", "fe80::1%eth0"),
        ("::ffff:127.0.0.1", "::ffff:127.0.0.1"),
    ],
)
def test_a_host_is_looked_up_in_ascii(host, name):
    assert ascii_name(host) == name


@pytest.mark.parametrize(
    ("host", "why"),
    [
        ("", "a host name cannot begin with a dot, or have two in a row"),
        (".", "a host name cannot begin with a dot, or have two in a row"),
        (".test", "a host name cannot begin with a dot, or have two in a row"),
        ("a..b", "a host name cannot begin with a dot, or have two in a row"),
        ("ß..b", "a host name cannot begin with a dot, or have two in a row"),
        ("a" * 64 + ".test", "a host name has at most 63 characters between two dots; 'aaaaaaa"),
        ("ß" * 64, "a host name has at most 63 characters between two dots, as xn--..."),
        ("a.b" * 85, "a host name has at most 253 characters; this one has 255"),
        ("a b", "a host name cannot contain ' '"),
        ("a/b", "a host name cannot contain '/'"),
        ("a／b", "a host name cannot contain '/'"),  # noqa: RUF001
        ("a\x1b[b", "a host name cannot contain '\\x1b'"),
        ("fa%C3%9F.test", "a host name cannot contain '%'"),
        ("☕.test", "a host name cannot contain '\\u2615' there (IDNA 2008)"),
        ("a\udcff", "a host name cannot contain '\\udcff' there (IDNA 2008)"),
        ("ß-", "this is not a valid host name: "),
        ("::1::", "'::1::' is not an IPv6 address"),
        ("1:2", "'1:2' is not an IPv6 address"),
        ("fe80::1%", "'' cannot be a network interface; give IPV6%INTERFACE"),
        ("fe80::1%a/b", "'a/b' cannot be a network interface; give IPV6%INTERFACE"),
    ],
)
def test_what_can_be_no_host_is_said_plainly(host, why):
    with pytest.raises(TargetError) as raised:
        ascii_name(host)
    assert str(raised.value).startswith(f"{host}: {why}")
