"""Everything that the shell does, without a terminal: lines, keys, telnet, and the prompt.

- A session outlives its connections. What belongs to one connection (its codec, the start of the
  peer's line, what waits to be sent) begins anew with `open`.
- Everything for the peer passes through one `Outbox`. Therefore lines, keys and telnet commands
  leave in the order in which the user typed them.
- Everything for the user goes to a `Display`, which is a `Screen` or a test.
- If the peer has sent the start of a line without its line end (`login: `), that start is the
  prompt. If it does not look like one (`hello`), it is shown above the prompt, with a mark.
- While a telnet server echoes and takes each key by itself (ECHO and SGA), the session is in
  character mode: each key is sent at once, and only what the server echoes is shown.
- While a telnet server only echoes (ECHO without SGA), the shell hides what the user types: it may
  be a password, which such a server does not echo. On every connection, the shell hides the answer
  to a prompt that asks for a secret.

`conversation` runs a `Session` on a connection, and `screen` shows it. `incoming`, below, has what
the peer has sent.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Final, NamedTuple

from prompt_toolkit.formatted_text.utils import fragment_list_len

from echoproto.shell.incoming import Incoming
from echoproto.shell.margin import Margin
from echoproto.shell.outbox import Outbox, Outgoing
from echoproto.shell.recording import Recording
from echoproto.shell.row import last_of
from echoproto.shell.settings import Settings
from echoproto.shell.upload import Upload
from echoproto.shell.view import show, show_at, show_lines
from echoproto.wire.dump import escape
from echoproto.wire.telnet.codec import TelnetCodec
from echoproto.wire.telnet.commands import Command, CommandReceived, OptionChanged, TelnetStarted
from echoproto.wire.telnet.negotiation import Side
from echoproto.wire.telnet.options import SHELL_POLICY, Option

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from prompt_toolkit.formatted_text import StyleAndTextTuples

    from echoproto.client.target import Target
    from echoproto.shell.display import Display
    from echoproto.shell.watcher import Watcher

PROMPT: Final = "> "

PAUSED: Final = "[paused] "
"""What stands before the prompt while the output is held."""

CLOSED_PROMPT: Final = "closed> "
"""The prompt while the shell is not connected."""

NOT_CONNECTED: Final = "The shell is not connected."
"""What is said when something would need a connection."""

MAX_PROMPT: Final = 60
"""Number of bytes of the start of a line, counted from its last, that the prompt shows."""


class Session:
    """The shell's side of its connections, one at a time.

    `target` is where the current connection leads, or the last one did, or the first one will. Set
    `display` before calling any method, and call `open` before anything that needs a connection.
    `on_reopen` is called when the user asks for a connection to `target` while there is none.
    `on_stop` is called when the user wants no connection; it returns whether there was something to
    stop.
    """

    display: Display
    codec: TelnetCodec
    """The telnet codec of the current connection, or of the last one."""

    def __init__(self, target: Target, settings: Settings | None = None) -> None:
        self.target = target
        self.settings = settings or Settings()
        self._margin = Margin(self)
        self.recording = Recording(self)
        self.watchers: list[Watcher] = [self._margin, self.recording]
        self.is_open = False
        self._status = ""  # what is said above the prompt while the shell is not connected
        self.on_reopen: Callable[[], object] = lambda: None
        self.on_stop: Callable[[], bool] = lambda: False
        self._goes_on = asyncio.Event()  # not set while the user holds the output
        self._goes_on.set()
        self._begin(TelnetCodec(SHELL_POLICY, mode="never"))

    # Connections

    def open(self, codec: TelnetCodec) -> None:
        """Begin with a new connection, whose telnet codec is `codec`."""
        self._begin(codec)
        self.is_open = True
        for watcher in self.watchers:
            watcher.opened(self.target)
        self.display.redraw()

    def _begin(self, codec: TelnetCodec) -> None:
        """Forget everything that belongs to one connection."""
        self.codec = codec
        self.outbox = Outbox(self._note_sent, self._note_end)
        self._incoming = Incoming(is_telnet=codec.is_telnet)
        self._types_secret = False  # a secret is being typed, key by key
        self._goes_on.set()

    def close(self) -> None:
        """End with the current connection: print the start of the peer's last line, if any."""
        takes_keys = self.takes_keys
        rest, below = self._incoming.take(), self._incoming.below
        self._print_lines(self._incoming.release())
        if rest:
            shown = show_lines([rest]) if takes_keys else self._margin.show_unended(rest)
            self.display.print([*self._margin.stamp, *shown])
        self._print_lines(below)
        self.is_open = False
        self._goes_on.set()
        for watcher in self.watchers:
            watcher.closed()
        if unsent := self.outbox.sending + self._discard():
            self.say(f"The last {_count_lines(unsent)} not sent.")
        self.display.redraw()

    def reopen(self, target: Target | None = None) -> None:
        """Connect to `target`, or to the same target again. Nothing is done while connected."""
        if self.is_open:
            self.say(f"The shell is connected to {self.target.name}; close that first.")
            return
        self.target = target or self.target
        self.on_reopen()

    def disconnect(self) -> None:
        """Close the connection at once, or stop connecting."""
        if not self.on_stop():
            self.say(NOT_CONNECTED)

    def stop_connecting(self) -> bool:
        """Stop connecting, or waiting before that. Return whether there was something to stop."""
        return not self.is_open and self.on_stop()

    def show_status(self, text: str) -> None:
        """Show `text` above the prompt until the shell is connected; "" removes it."""
        self._status = text
        self.display.redraw()

    # What the user sees

    @property
    def prompt(self) -> StyleAndTextTuples:
        """Text in front of the line that the user types."""
        return [*self._pause_mark, *self._line_prompt]

    @property
    def _pause_mark(self) -> StyleAndTextTuples:
        return [("class:prompt", PAUSED)] if self.is_paused else []

    @property
    def _line_prompt(self) -> StyleAndTextTuples:
        if not self.is_open:
            status = f"{self._status}\n" if self._status else ""
            return [("", status), ("class:prompt", CLOSED_PROMPT)]
        if not self._incoming.start:
            return [("class:prompt", PROMPT)]
        last = last_of(self._incoming.start, MAX_PROMPT)
        if self._incoming.is_prompt or self.is_hidden:
            return show(last)
        shown = self._margin.show_unended(last)
        return [
            *((f"noinherit {style}", text) for style, text, *_ in shown),
            ("class:prompt", PROMPT),
        ]

    @property
    def has_start(self) -> bool:
        """Whether the prompt shows the start of the peer's line."""
        return bool(self._incoming.start)

    @property
    def peer_line(self) -> tuple[StyleAndTextTuples, int]:
        """The start of the peer's line, and the place of its cursor, for character mode.

        The place is a number of characters of the text. Rows that the peer has drawn below follow.
        """
        shown, place = show_at(self._incoming.line, self._incoming.cursor)
        for row in self._incoming.below:
            shown = [*shown, ("", " \n"), *show(row)]
        mark = self._pause_mark
        return [*mark, *shown], fragment_list_len(mark) + place

    @property
    def takes_keys(self) -> bool:
        """Whether the session is in character mode."""
        if not self.is_open or self.settings.mode == "line":
            return False
        return self.settings.mode == "character" or (self._peer_echoes and self._has_sga)

    @property
    def is_hidden(self) -> bool:
        """Whether lines to the peer are hidden while the user types them."""
        if not self.is_open:
            return False
        return (self._peer_echoes and not self._has_sga) or self.asks_for_secret

    @property
    def _peer_echoes(self) -> bool:
        return self.codec.is_on(Side.REMOTE, Option.ECHO)

    @property
    def _has_sga(self) -> bool:
        return self.codec.is_on(Side.REMOTE, Option.SGA)

    @property
    def asks_for_secret(self) -> bool:
        """Whether the peer's prompt asks for a password or another secret."""
        return self._incoming.asks_for_secret(is_settled=not self.takes_keys)

    def say(self, *lines: str) -> None:
        """Print messages from the shell, each on a separate line."""
        self.display.print([("", "".join(f"{line}\n" for line in lines))])

    # What the user does

    @property
    def line_end(self) -> bytes:
        """The bytes that follow a typed line."""
        chosen = self.settings.line_end
        return self.codec.line_end if chosen is None else chosen

    def type_lines(self, lines: Sequence[str]) -> list[str]:
        """Send the lines that the user typed or pasted. Return those that were not hidden.

        Prints them, except for what is hidden. Without a connection, sends none of them.
        """
        if not self.is_open:
            count = _count_lines(len(lines))
            self.say(f"{NOT_CONNECTED} {count} not sent, and can be recalled with Up.")
            return list(lines)
        shown: StyleAndTextTuples = []
        visible = []
        for line in lines:
            data = line.encode("utf-8", "surrogateescape")
            is_hidden = self.is_hidden
            if not is_hidden:
                visible.append(line)
            if not self._peer_echoes:
                shown += self._take_prompt()
                shown += [*([] if is_hidden else show(data, "class:sent")), ("", "\n")]
            line_end = self.line_end
            if data := data + line_end:
                self.outbox.put(Outgoing(data, is_hidden, line_end))
        if shown:
            self.display.print(shown)
        return visible

    def type_keys(self, data: bytes) -> None:
        """Send the bytes of keys in character mode. CR stands for the Enter key.

        Keys are secret from a prompt that asks for a secret up to Enter, or until the peer ends the
        line: what the peer echoes meanwhile, such as a `*` for each key, makes no difference.
        """
        is_secret = self._types_secret or self.asks_for_secret
        self._types_secret = is_secret and b"\r" not in data
        if data := data.replace(b"\r", self.line_end):
            self.outbox.put(Outgoing(data, is_secret))

    def send_bytes(self, data: bytes) -> None:
        """Send `data` as it is, without a line end."""
        if not self.is_open:
            self.say(NOT_CONNECTED)
        elif data:
            self.outbox.put(Outgoing(data))

    def send_file(self, path: str) -> None:
        """Send what is in the file `path` now, as it is. Raises OSError if it cannot be read."""
        if not self.is_open:
            self.say(NOT_CONNECTED)
            return
        name = escape(os.fsencode(path))

        def ended(upload: Upload, error: OSError | None) -> None:
            sent = f"{upload.sent:,} bytes of {name} were sent"
            self.say(f"{sent}; then reading it failed: {error.strerror}." if error else f"{sent}.")

        self.outbox.put(Outgoing(Upload(path, name, ended)))

    def _take_prompt(self) -> StyleAndTextTuples:
        """Return the prompt, with the whole start of the peer's line, which ends here."""
        stamp = self._margin.stamp
        prompt: StyleAndTextTuples = [*stamp, ("class:prompt", PROMPT)]
        if not self._incoming.start:
            return prompt
        start = self._incoming.take()
        if self._incoming.is_prompt:
            return [*stamp, *show(start)]
        return [*stamp, *self._margin.show_unended(start), *prompt]

    def stop_sending(self) -> None:
        """Discard what is still to be sent, and say how much that was."""
        if unsent := self._discard():
            self.say(f"Stopped: the last {_count_lines(unsent)} not sent.")

    def _discard(self) -> int:
        """Discard what waits to be sent, and say what is left of files. Return the other items."""
        items = [outgoing.item for outgoing in self.outbox.discard()]
        files = [item for item in items if isinstance(item, Upload)]
        for upload in files:
            self.say(
                f"Stopped: {upload.unsent:,} of the {upload.size:,} bytes of {upload.name} were "
                "not sent."
            )
        return len(items) - len(files)

    def send_command(self, command: Command) -> None:
        """Send a telnet command. The connection becomes telnet, unless it can never be telnet."""
        if not self.is_open:
            self.say(NOT_CONNECTED)
            return
        if self.codec.is_plain:
            self.say("This connection is not telnet.")
            return
        if not self.codec.is_telnet:
            self.say("The server has not negotiated telnet; treating it as telnet from now on.")
            self._incoming.begin_telnet()
        self.outbox.put(Outgoing(command))

    @property
    def is_paused(self) -> bool:
        """Whether the user holds the output: nothing is received."""
        return not self._goes_on.is_set()

    def toggle_pause(self) -> None:
        """Hold the output, or let it go on."""
        if self.is_paused:
            self._goes_on.set()
        elif self.is_open:
            self._goes_on.clear()
            self._margin.note_pause()
            self.say("Paused: nothing is received. F2 or the command pause lets it go on.")
        else:
            self.say(NOT_CONNECTED)
        self.display.redraw()

    async def room(self) -> int:
        """Wait until something can be shown. Return how many bytes of it, at most."""
        await self._goes_on.wait()
        return await self.display.room()

    def end(self) -> None:
        """Half-close the connection after everything in the outbox is sent. A pause ends."""
        self._goes_on.set()
        self.outbox.end()

    def _note_sent(self, outgoing: Outgoing) -> None:
        for watcher in self.watchers:
            watcher.sent(outgoing)

    def _note_end(self) -> None:
        for watcher in self.watchers:
            watcher.half_closed()

    # What the peer does

    def note_arrival(self) -> None:
        """Note that bytes of the peer arrive, before anything is done with them."""
        self._margin.note_arrival()

    def note_received(self, data: bytes) -> None:
        """Note that `data` has arrived. `receive` follows as soon as there is room to show it."""
        for watcher in self.watchers:
            watcher.received(data)

    def receive(self, data: bytes) -> None:
        """Handle received `data`, or a part of it: print the lines that it completes."""
        if lines := self._incoming.feed(data):
            self._types_secret = False
            self._print_lines(lines)
        if self.takes_keys:
            self.display.redraw()
        if self._incoming.is_marked:
            self.settle()
            self._incoming.is_marked = False

    def receive_eof(self) -> None:
        """Handle that the peer sends no more."""
        for watcher in self.watchers:
            watcher.received_eof()

    def _print_lines(self, lines: Sequence[bytes]) -> None:
        """Print lines of the peer."""
        if lines:
            self.display.print(self._margin.show_lines(lines))

    def settle(self) -> None:
        """Make the start of the peer's line the prompt, because no data has followed it."""
        self._print_lines(self._incoming.release())
        self._incoming.settle()
        for watcher in self.watchers:
            watcher.settled()
        self.display.redraw()

    def handle_event(self, event: NamedTuple) -> None:
        """Handle an event of the telnet codec."""
        match event:
            case TelnetStarted():
                self._incoming.begin_telnet()
            case OptionChanged(Side.REMOTE, Option.ECHO | Option.SGA, _):
                self.display.redraw()
            case CommandReceived(Command.GA | Command.EOR) if not self._incoming.is_marked:
                # The data before the command may still follow this event: `receive` settles again.
                self._incoming.is_marked = True
                self.settle()
        for watcher in self.watchers:
            watcher.notified(event)


def _count_lines(count: int) -> str:
    """Return the subject and verb of a sentence about lines."""
    return "line was" if count == 1 else f"{count:,} lines were"
