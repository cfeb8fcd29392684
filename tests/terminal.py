"""A program in a terminal: what a person types to it, and what the screen then shows.

`Terminal` is a real terminal, tmux. `SlowTerminal` shows what its program prints only as fast as a
test lets it. What both show is a `Screen`, as pyte reads it: text, the cursor, and colours.
"""

from __future__ import annotations

import os
import pty
import re
import shlex
import subprocess
import termios
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self
from uuid import uuid4

import pyte

from support import BIN, DEADLINE, eventually, program, run

KEYS = {
    "Enter": "\r",
    "Tab": "\t",
    "BSpace": "\x7f",
    "Escape": "\x1b",
    "Up": "\x1b[A",
    "Down": "\x1b[B",
    "Right": "\x1b[C",
    "Left": "\x1b[D",
}
"""What keys send, by the names that tmux gives them. C-a and the like are not listed."""


STEP = 0.02
"""Seconds from one piece of the output to the next, in a terminal of a limited speed."""


class Screen(pyte.Screen):
    """What a terminal shows at one time."""

    @property
    def rows(self) -> list[str]:
        """The text of each row, without the empty rows at the bottom."""
        rows = [row.rstrip() for row in self.display]
        while rows and not rows[-1]:
            rows.pop()
        return rows

    @property
    def before_cursor(self) -> str:
        """The text of the cursor's row up to the cursor."""
        row = self.buffer[self.cursor.y]
        return "".join(row[column].data for column in range(self.cursor.x))

    def look(self, text: str) -> pyte.screens.Char:
        """The one look of all of `text` where it is lowest: `fg`, `bg`, `bold` and so on."""
        for y in reversed(range(self.lines)):
            cells = [self.buffer[y][x] for x in range(self.columns)]
            # The cell to the right of a wide character holds nothing.
            shown = [cell for cell in cells if cell.data]
            at = "".join(cell.data[0] for cell in shown).rfind(text)
            if at >= 0:
                looks = {cell._replace(data=text) for cell in shown[at : at + len(text)]}
                assert len(looks) == 1, looks
                return looks.pop()
        raise AssertionError(f"no {text!r} in {self.rows}")


def at(text):
    """For `see`: the cursor is behind `text`, which begins its row."""
    return lambda screen: screen.before_cursor == text


def has(text):
    """For `see`: `text` is on the screen."""
    return lambda screen: any(text in row for row in screen.rows)


class Terminal:
    """A program in a real terminal of 80 columns and 24 rows: tmux shows it, and types."""

    def __init__(self, *command: object, env: dict[str, str] | None = None) -> None:
        self._tmux = [program("tmux"), "-L", f"echoproto-{uuid4().hex}", "-f", os.devnull]
        shell = f'trap : INT; {shlex.join(map(str, command))}; echo "[status $?]"; exec sleep 1000'
        variables = [word for item in (env or {}).items() for word in ("-e", "=".join(item))]
        self._do("start-server", ";", "set-option", "-g", "history-limit", "100000", ";",
                 "set-option", "-g", "default-terminal", "screen-256color", ";",
                 "new-session", "-d", "-x", "80", "-y", "24", *variables, shell)  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._do("kill-server")

    def _do(self, *words: str, **kwargs) -> str:
        done = run(*self._tmux, *words, **kwargs)
        assert done.returncode == 0, done.stderr
        return done.stdout.decode()

    def type(self, text: str) -> None:
        """Type characters."""
        self._do("send-keys", "-l", text)

    def press(self, *keys: str) -> None:
        """Press keys by their names: Enter, Up, C-c."""
        self._do("send-keys", *keys)

    def enter(self, line: str) -> None:
        """Type a line, and Enter."""
        self._do("send-keys", "-l", line, ";", "send-keys", "Enter")

    def paste(self, text: str) -> None:
        """Paste, bracketed if the program asks for that."""
        self._do("load-buffer", "-", input=text.encode())
        self._do("paste-buffer", "-p", "-d")

    def resize(self, columns: int, rows: int) -> None:
        self._do("resize-window", "-x", str(columns), "-y", str(rows))

    def lines(self) -> list[str]:
        """Every line, also those that have scrolled away, each joined if it was wrapped.

        The times of replies are left out, because they vary.
        """
        text = self._do("capture-pane", "-p", "-J", "-S", "-")
        text = re.sub(r"(?m)  [\d.]+ m?s *$", "", text)
        return [line.rstrip() for line in text.rstrip().split("\n")]

    def screen(self) -> Screen:
        """What is visible now."""
        geometry = "#{pane_width} #{pane_height} #{cursor_x} #{cursor_y}"
        told = self._do("display-message", "-p", geometry, ";", "capture-pane", "-p", "-e", "-N")
        numbers, *rows = told.removesuffix("\n").split("\n")
        columns, height, x, y = map(int, numbers.split())
        screen = Screen(columns, height)
        pyte.Stream(screen).feed("\r\n".join(rows))
        screen.cursor.x, screen.cursor.y = x, y
        return screen

    def see(self, condition) -> Screen:
        """Wait until `condition` holds for the screen; that screen."""
        seen: list[Screen] = []

        def there() -> bool:
            seen[:] = [self.screen()]
            return condition(seen[0])

        eventually(there, lambda: f"what was waited for on {seen[0].rows}")
        return seen[0]

    def pid(self) -> int:
        """The process of the program."""
        shell = self._do("display-message", "-p", "#{pane_pid}").strip()
        return int(Path(f"/proc/{shell}/task/{shell}/children").read_text())

    def title(self) -> str:
        return self._do("display-message", "-p", "#{pane_title}").strip()

    def wait_for(self, *last: str) -> list[str]:
        """Wait until the last lines are `last`; all lines."""
        lines: list[str] = []

        def there() -> bool:
            lines[:] = self.lines()
            return lines[-len(last) :] == list(last)

        eventually(there, lambda: f"{last} at the end of {lines[-30:]}")
        return lines


@contextmanager
def shell_on(target: str, state: Path, *options: str):
    """Our shell in a real terminal; `state` is the folder of its histories."""
    command = [BIN / "echoproto", *options, target]
    with Terminal(*command, env={"XDG_STATE_HOME": str(state)}) as terminal:
        yield terminal


class SlowTerminal:
    """A program in a terminal that shows `speed` bytes a second, or all at once with None.

    The program waits in `write` while the terminal has too much to show, as on a serial line.
    """

    def __init__(
        self, *command: object, env: dict[str, str] | None = None, speed: int | None = None
    ) -> None:
        self.speed = speed
        self._screen = Screen(80, 24)
        self._stream = pyte.ByteStream(self._screen)
        self._changed = threading.Condition()
        self._ended = threading.Event()
        self._master, slave = pty.openpty()
        termios.tcsetwinsize(slave, (24, 80))
        self.process = subprocess.Popen(
            # It makes the pty the terminal that the program belongs to, so that Ctrl-C reaches it.
            ["setsid", "--ctty", *map(str, command)],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=os.environ | {"TERM": "xterm-256color"} | (env or {}),
        )
        os.close(slave)
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self.process.kill()
        self.process.wait(DEADLINE)
        self._reading.join(DEADLINE)
        os.close(self._master)

    def _read(self) -> None:
        with suppress(OSError):  # how a terminal ends
            while not self._ended.wait(STEP if self.speed else 0):
                data = os.read(self._master, int(self.speed * STEP) if self.speed else 65536)
                with self._changed:
                    self._stream.feed(data)
                    self._changed.notify_all()

    def type(self, text: str) -> None:
        """Type characters."""
        os.write(self._master, text.encode())

    def press(self, *keys: str) -> None:
        """Press keys by their names: Enter, Up, C-c."""
        for key in keys:
            self.type(KEYS.get(key) or chr(ord(key.removeprefix("C-").upper()) & 0x1F))

    def enter(self, line: str) -> None:
        """Type a line, and Enter."""
        self.type(f"{line}\r")

    def resize(self, columns: int, rows: int) -> None:
        with self._changed:
            self._screen.resize(rows, columns)
        termios.tcsetwinsize(self._master, (rows, columns))

    def see(self, condition) -> Screen:
        """Wait until `condition` holds for the screen; that screen, which goes on changing."""
        with self._changed:
            assert self._changed.wait_for(lambda: condition(self._screen), DEADLINE), (
                f"not seen in: {self._screen.rows}"
            )
        return self._screen
