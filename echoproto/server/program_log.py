"""The log of the program: what `twistd` and `twist` log is written by a `LogWriter`.

twistd asks the application for a log observer before it logs its first line. twist takes its log
file from its options after it has made the service. The same lines go where the user wants them;
twistd's --logger and --syslog are left alone.
"""

from __future__ import annotations

import atexit
import signal
import sys
from functools import lru_cache
from time import time
from typing import TYPE_CHECKING, Any

from twisted.logger import (
    FileLogObserver,
    LogLevel,
    formatEventAsClassicLogText,
    formatTime,
    textFileLogObserver,
)
from twisted.python.logfile import LogFile
from twisted.python.runtime import platformType

from echoproto.errors import CannotStartError
from echoproto.server.log_writer import LogWriter, descriptor_sink

if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping
    from typing import IO

    from twisted.logger import LogEvent


def take_over(options: MutableMapping[str, Any] | None, reactor: Any) -> FileLogObserver | None:
    """Have a `LogWriter` write the log. `options` are those of twistd or twist, or None.

    Return the observer that twistd's application needs, or None if it needs none. Raises
    CannotStartError if the log file cannot be opened.
    """
    if options is None:
        return None
    if "fileLogObserverFactory" in options:  # twist
        if writer := _stream_writer(options["logFile"], reactor, _format_of(options)):
            options["logFile"] = writer
        return None
    if options.get("logger") or options.get("syslog"):
        return None
    name = options.get("logfile")
    is_daemon = platformType == "posix" and not options.get("nodaemon")
    if is_daemon and name == "-":
        return None  # twistd refuses this
    if name == "-" or not (name or is_daemon):
        writer = _stream_writer(sys.stdout, reactor, format_event)
    else:
        writer = _file_writer(name or "twistd.log")
        _end_with(writer, reactor)
        # A daemon forks before the reactor starts.
        reactor.addSystemEventTrigger("before", "startup", writer.start)
    return FileLogObserver(writer, format_event) if writer is not None else None  # type: ignore[arg-type]


def _format_of(options: MutableMapping[str, Any]) -> Callable[[LogEvent], str | None]:
    """Return the function that formats twist's events, which is ours if they are text."""
    make = options["fileLogObserverFactory"]
    if make is textFileLogObserver:
        options["fileLogObserverFactory"] = lambda file: FileLogObserver(file, format_event)
        return format_event
    format_: Callable[[LogEvent], str | None] = make(sys.stderr).formatEvent
    return format_


def _stream_writer(
    stream: IO[str] | None, reactor: Any, format_: Callable[[LogEvent], str | None]
) -> LogWriter | None:
    """Make a writer for an open stream; None if it has no file descriptor."""
    try:
        descriptor = stream.fileno()  # type: ignore[union-attr]
        stream.flush()  # type: ignore[union-attr]
    except (AttributeError, OSError, ValueError):
        return None
    encoding = getattr(stream, "encoding", None) or "utf-8"
    writer = LogWriter(descriptor_sink(descriptor), _reporting(format_), encoding)
    _end_with(writer, reactor)
    writer.start()
    return writer


def _file_writer(name: str) -> LogWriter:
    """Make a writer for twistd's log file, which is rotated when it is large, or at SIGUSR1."""
    try:
        file = LogFile.fromFullPath(name)
    except OSError as error:
        raise CannotStartError(f"cannot write the log {name}: {error.strerror}") from None
    writer = LogWriter(file.write, _reporting(format_event))
    if hasattr(signal, "SIGUSR1") and not signal.getsignal(signal.SIGUSR1):
        signal.signal(signal.SIGUSR1, lambda *_: writer.call(file.rotate))
    return writer


def _end_with(writer: LogWriter, reactor: Any) -> None:
    """Have everything written before the process ends.

    twistd ends by the signal that it was sent, after a few more lines: `atexit` is for other ends.
    """
    reactor.addSystemEventTrigger("after", "shutdown", writer.end)
    atexit.register(writer.end)


def _reporting(format_: Callable[[LogEvent], str | None]) -> Callable[[int], str]:
    def report(count: int) -> str:
        text = f"{count:,} line{'s' * (count != 1)} dropped: the log could not be written"
        event = {
            "log_namespace": "echoproto",
            "log_level": LogLevel.warn,
            "log_time": time(),
            "log_format": "{log_text}",
            "log_text": text,
        }
        return format_(event) or ""

    return report


def format_event(event: LogEvent) -> str | None:
    """Format an event as twistd does, in a fraction of the time if its text is ready.

    That is the case for what `log.info` logs.
    """
    if event.get("log_format") != "{log_text}" or "log_system" in event or "log_failure" in event:
        return formatEventAsClassicLogText(event)
    text = event["log_text"].replace("\n", "\n\t")
    system = f"{event['log_namespace']}#{event['log_level'].name}"
    return f"{_timestamp(int(event['log_time']))} [{system}] {text}\n"


@lru_cache(maxsize=1)
def _timestamp(second: int) -> str:
    return formatTime(second)
