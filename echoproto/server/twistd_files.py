"""The files of twistd: a PID file that is left over, and files that cannot be written.

twistd refuses to start if its PID file names a process that runs, whatever process that is. A
server that was killed leaves its file. In a container, where the next server has the same process
ID, the file then names the new server itself. `check_files` is called while twistd reads our
options, which is before it looks at its files.
"""

from __future__ import annotations

import os
import re
import sys
from contextlib import suppress
from errno import EACCES
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def check_files(options: Mapping[str, Any]) -> None:
    """Remove the PID file of twistd if it is left over. `options` are those of twistd.

    Raises SystemExit, with a line that says what to do, if twistd cannot write its files.
    """
    if "pidfile" not in options:  # `twist`, or Windows: there are no files
        return
    pidfile, logfile = options["pidfile"], options["logfile"]
    if pidfile:
        _remove_stale(Path(pidfile))
    if options["chroot"]:
        return
    rundir = Path(options["rundir"])
    try:
        (rundir / "..").stat()  # fails if it cannot become the working folder
    except OSError as error:
        raise SystemExit(
            f"twistd echo: cannot run in {rundir}: {error.strerror}; give twistd another --rundir"
        ) from None
    if pidfile:  # twistd writes it when it has changed to that folder
        _check_writable(rundir / pidfile, "--pidfile FILE, or --pidfile= for none")
    if not (options["nodaemon"] or options["debug"] or options["syslog"] or options["logger"]):
        _check_writable(Path(logfile or "twistd.log"), "--logfile FILE or --syslog")
    elif logfile and logfile != "-" and not (options["syslog"] or options["logger"]):
        _check_writable(Path(logfile), "another --logfile FILE")


def _remove_stale(pidfile: Path) -> None:
    try:
        text = pidfile.read_text().strip()
        pid = int(text or 0)  # it is empty if the system stopped as it was written
    except (OSError, ValueError):  # twistd handles both
        return
    if is_stale(pid):
        with suppress(OSError):
            pidfile.unlink()
            message = f"twistd echo: {pidfile} was left over, and is removed"
            print(message, file=sys.stderr)  # noqa: T201


def is_stale(pid: int) -> bool:
    """Whether a file that names the process `pid` is left over from a server that was killed."""
    return pid == os.getpid() or not _may_be_twistd(pid)


def _may_be_twistd(pid: int) -> bool:
    """Whether a process exists, and nothing shows that it is not twistd."""
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is another user's
        pass
    try:
        program, *words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:  # there is no /proc, or it hides the process
        return True
    is_python = re.match(rb"(.*/)?(python|pypy)[^/]*\Z", program) is not None
    return is_python and any(
        re.fullmatch(rb"(.*/)?(twistd?|twisted|echoproto)(\.py)?", word) for word in words
    )


def _check_writable(path: Path, instead: str) -> None:
    try:
        # Only an attempt tells: root may write everywhere, except where the system does not.
        with path.open("xb"):
            path.unlink()
    except FileExistsError:
        if not path.is_dir() and os.access(path, os.W_OK):
            return
        problem = "it is a folder" if path.is_dir() else os.strerror(EACCES)
    except OSError as error:
        problem = error.strerror or str(error)
    else:
        return
    where = f"{path.name or path} in {path.absolute().parent}"
    raise SystemExit(f"twistd echo: cannot write {where}: {problem}; give twistd {instead}")
