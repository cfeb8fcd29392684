"""The GUI PuTTY on a display of its own, driven by keys and by its menu, as a person drives it."""

from __future__ import annotations

import os
import subprocess
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from select import select
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Self

from support import DEADLINE, eventually, program

SPECIAL = (
    "ayt",
    "brk",
    "synch",
    "ec",
    "el",
    "ga",
    "nop",
    "abort",
    "ao",
    "ip",
    "susp",
    "eor",
    "eof",
)
"""What its menu Special Command has for telnet, in its order."""

# Key names, used by no layout, for letters missing from the US keyboard.
LETTERS = {"<I193>": "é", "<I194>": "ÿ"}

KEYMAP = """
xkb_keymap {{
    xkb_keycodes {{ include "evdev+aliases(qwerty)" }};
    xkb_types {{ include "complete" }};
    xkb_compat {{ include "complete" }};
    xkb_symbols {{ include "pc+us" {keys} }};
}};
"""


@contextmanager
def running(*command: str, **options):
    """A process for the time of the block, which then may tidy up."""
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, **options) as process:
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(DEADLINE)
            finally:
                process.kill()


class Putty:
    """`putty PROTOCOL` to a port of this machine; `charset` is what its terminal is set to."""

    def __init__(self, port: int, *, protocol: str = "-telnet", charset: str = "UTF-8") -> None:
        self._command = [program("putty"), protocol, "-P", str(port), "127.0.0.1"]
        self.charset = charset
        self._programs = {name: program(name) for name in ("Xvfb", "xdotool", "xkbcomp")}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with self._stack as stack:
            home = Path(stack.enter_context(TemporaryDirectory(prefix="putty-")))
            self._log = home / "session.log"
            self._errors = stack.enter_context((home / "errors").open("w+"))
            self._configure(home)
            # Nothing of the surroundings: no session bus, input method, theme, or locale.
            self._environment = {
                "PATH": os.environ["PATH"],
                "HOME": str(home),
                "LC_ALL": "C.UTF-8",
                "NO_AT_BRIDGE": "1",
                "GTK_IM_MODULE": "gtk-im-context-simple",
                "GSETTINGS_BACKEND": "memory",
                "DISPLAY": self._start_display(stack),
            }
            self._define_keys()
            self._process = stack.enter_context(
                running(
                    *self._command,
                    env=self._environment,
                    stdout=self._errors,
                    stderr=self._errors,
                )
            )
            # The terminal is its first window; where nobody listens there is a message, too.
            self._window = min(self._wait(self._windows, "a window"), key=int)
            self._xdotool("windowmove", self._window, "0", "0")
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    # What a person does

    def type(self, text: str) -> None:
        """Type characters; a newline is the key Return."""
        self.press(*("Return" if letter == "\n" else f"U{ord(letter):04X}" for letter in text))

    def press(self, *keys: str) -> None:
        """Press keys by their names: Return, ctrl+c."""
        self._xdotool("windowfocus", self._window, "key", "--delay", "0", *keys)

    def send(self, special: str) -> None:
        """Choose a telnet command of the menu Special Command."""
        before = len(self._windows())
        self._xdotool(
            *("mousemove", "--window", self._window, "20", "20"),
            *("keydown", "ctrl", "click", "3", "keyup", "ctrl"),
        )
        self._wait(lambda: len(self._windows()) > before, "the menu")
        # The menu has the keyboard, and passes over separators; its sixth entry is Special Command.
        keys = ["Down"] * 6 + ["Right"] + ["Down"] * SPECIAL.index(special) + ["Return"]
        self._xdotool("key", "--delay", "0", *keys)
        self._wait(lambda: len(self._windows()) == before, "the end of the menu")

    # What a person sees

    def shown(self) -> bytes:
        """All that the terminal was given to show: what has come, and what PuTTY itself echoes."""
        with suppress(FileNotFoundError):  # it is there once there is something to show
            return self._log.read_bytes()
        return b""

    def wait_for(self, text: bytes) -> None:
        """Wait until `text` is all that the terminal was given to show."""
        self._wait(lambda: self.shown() == text, text)

    def wait_for_end(self) -> int:
        """Wait until it ends, as it does when the server closes; its exit status."""
        return self._process.wait(DEADLINE)

    # How

    def _configure(self, home: Path) -> None:
        settings = {
            "LogType": 2,  # all that the terminal is given, and not only what is printable
            "LogFileName": self._log,
            "LogFileClash": 1,
            "LogFlush": 1,
            "LogHeader": 0,
            "WarnOnClose": 0,
            "LineCodePage": self.charset,
            "UTF8Override": 0,
        }
        path = home / ".putty" / "sessions" / "Default%20Settings"
        path.parent.mkdir(parents=True)
        path.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))

    def _start_display(self, stack: ExitStack) -> str:
        """Start an X server at a number that is free; the name of the display."""
        read, write = os.pipe()
        with os.fdopen(read, "rb", buffering=0) as answer:
            # -noreset: it stays when a client leaves. -r: a key never repeats, however long a busy
            # machine keeps it down.
            words = f"-displayfd {write} -screen 0 800x600x24 -nolisten tcp -noreset -r".split()
            try:
                stack.enter_context(
                    running(
                        self._programs["Xvfb"],
                        *words,
                        pass_fds=[write],
                        stdout=self._errors,
                        stderr=self._errors,
                    )
                )
            finally:
                os.close(write)
            number = b""
            deadline = monotonic() + DEADLINE
            while not number.endswith(b"\n"):
                ready, _, _ = select([answer], [], [], max(0, deadline - monotonic()))
                data = answer.read(16) if ready else b""
                assert data, f"no display: {self._read_errors()}"
                number += data
        return f":{number.decode().strip()}"

    def _define_keys(self) -> None:
        """Give each letter a key now: xdotool would do so as it types, which is a race."""
        keys = "".join(f"key {key} {{ [U{ord(letter):04X}] }};" for key, letter in LETTERS.items())
        subprocess.run(
            [self._programs["xkbcomp"], "-w0", "-", self._environment["DISPLAY"]],
            input=KEYMAP.format(keys=keys),
            env=self._environment,
            stdout=self._errors,
            stderr=self._errors,
            text=True,
            check=True,
            timeout=DEADLINE,
        )

    def _windows(self) -> list[str]:
        return self._xdotool("search", "--onlyvisible", "--class", "putty", check=False).split()

    def _xdotool(self, *words: str, check: bool = True) -> str:
        done = subprocess.run(
            [self._programs["xdotool"], *words],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=False,
        )
        assert not check or done.returncode == 0, f"xdotool {words}: {done.stderr}"
        return done.stdout.strip()

    def _wait(self, look, what: object):
        def describe() -> str:
            return f"{what} of PuTTY; {self._read_errors()}\n{self.shown()!r}"

        def seen():
            ended = self._process.poll() is not None
            found = look()  # after that: what it did last counts
            assert found or not ended, f"ended without {describe()}"
            return found

        return eventually(seen, describe)

    def _read_errors(self) -> str:
        return Path(self._errors.name).read_text()
