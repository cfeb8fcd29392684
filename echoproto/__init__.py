"""An echo service you can leave running, and the line client you leave open beside it.

The names in `__all__` are public: docs/reference.md describes them, and CHANGELOG.md lists their
changes. Everything else is private. Each name is imported when it is first used, so
`import echoproto` costs nothing and loads neither Twisted nor prompt_toolkit.
"""

from __future__ import annotations

# As in typing, whose import would take most of the time until Ctrl-C is handled.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import Final

    from echoproto.client.connection import ClientConnection, connect
    from echoproto.client.target import Target
    from echoproto.errors import (
        CannotStartError,
        EchoprotoError,
        LineTooLongError,
        NetworkError,
        NotTelnetError,
        ProxyHeaderError,
        SessionFileError,
        TargetError,
    )
    from echoproto.reactor.reactor import install as install_reactor
    from echoproto.server.connection import ServerConnection
    from echoproto.server.echo import EchoProtocol
    from echoproto.server.factory import LineFactory
    from echoproto.server.protocol import LineProtocol
    from echoproto.server.registry import Observer, Registry
    from echoproto.wire.framing import ANY_LINE_END
    from echoproto.wire.telnet.commands import Command
    from echoproto.wire.telnet.negotiation import Policy, Side
    from echoproto.wire.telnet.options import Option

    __version__: str

__all__ = [
    "ANY_LINE_END",
    "CannotStartError",
    "ClientConnection",
    "Command",
    "EchoProtocol",
    "EchoprotoError",
    "LineFactory",
    "LineProtocol",
    "LineTooLongError",
    "NetworkError",
    "NotTelnetError",
    "Observer",
    "Option",
    "Policy",
    "ProxyHeaderError",
    "Registry",
    "ServerConnection",
    "SessionFileError",
    "Side",
    "Target",
    "TargetError",
    "__version__",
    "connect",
    "install_reactor",
]

_HOMES: Final = {
    "ANY_LINE_END": "wire.framing",
    "CannotStartError": "errors",
    "ClientConnection": "client.connection",
    "Command": "wire.telnet.commands",
    "EchoProtocol": "server.echo",
    "EchoprotoError": "errors",
    "LineFactory": "server.factory",
    "LineProtocol": "server.protocol",
    "LineTooLongError": "errors",
    "NetworkError": "errors",
    "NotTelnetError": "errors",
    "Observer": "server.registry",
    "Option": "wire.telnet.options",
    "Policy": "wire.telnet.negotiation",
    "ProxyHeaderError": "errors",
    "Registry": "server.registry",
    "ServerConnection": "server.connection",
    "SessionFileError": "errors",
    "Side": "wire.telnet.negotiation",
    "Target": "client.target",
    "TargetError": "errors",
    "connect": "client.connection",
    "install_reactor": "reactor.reactor",
}
"""The module, below this package, that defines each name."""


def __getattr__(name: str) -> object:
    """Import the public name `name` (PEP 562)."""
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415 - slow to import

        value: object = version("echoproto")
    elif name in _HOMES:
        from importlib import import_module  # noqa: PLC0415 - as little as possible is imported first

        module = import_module(f"echoproto.{_HOMES[name]}")
        value = getattr(module, "install" if name == "install_reactor" else name)
    else:
        raise AttributeError(f"module 'echoproto' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names, whether or not they have been imported."""
    return sorted({*globals(), *__all__})
