"""twistd's files: a PID file that is left over, and what cannot be written."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from echoproto.server.twistd_files import check_files
from support import BIN, DEADLINE, Output, connect, receive_exactly, run, serve, start

pytestmark = pytest.mark.long

TOP = Path(__file__).parents[2]
LISTEN = ["--listen", "127.0.0.1:0"]


def options(**given):
    names = ["pidfile", "logfile", "chroot", "nodaemon", "debug", "syslog", "logger"]
    return dict.fromkeys(names) | {"nodaemon": True, "rundir": "."} | given


def is_removed(pidfile, text):
    pidfile.write_text(str(text))
    check_files(options(pidfile=str(pidfile)))
    return not pidfile.exists()


def test_a_pid_file_that_names_this_process_is_removed(tmp_path, capsys):
    pidfile = tmp_path / "twistd.pid"
    assert is_removed(pidfile, os.getpid())
    assert capsys.readouterr().err == f"twistd echo: {pidfile} was left over, and is removed\n"


@pytest.mark.parametrize("text", ["1", "1\n", "0", "-1", "", "4194305"])
def test_a_pid_file_that_names_no_twistd_is_removed(tmp_path, text):
    assert is_removed(tmp_path / "twistd.pid", text)


def test_a_pid_file_that_names_another_program_is_removed(tmp_path):
    with start("sleep", "1000") as process:
        assert is_removed(tmp_path / "twistd.pid", process.pid)
    with start(sys.executable, "-c", "input()", "twistd.log") as process:
        assert is_removed(tmp_path / "twistd.pid", process.pid)


def test_a_pid_file_that_names_a_twistd_is_left(tmp_path):
    with serve() as server:
        assert not is_removed(tmp_path / "twistd.pid", server.process.pid)
    with start(sys.executable, "-m", "twisted", "echo", *LISTEN) as process:
        Output(process.stdout).wait_for("listening")
        assert not is_removed(tmp_path / "twistd.pid", process.pid)


@pytest.mark.parametrize("text", ["nonsense", "1 2"])
def test_a_pid_file_that_is_none_is_left_to_twistd(tmp_path, text):
    assert not is_removed(tmp_path / "twistd.pid", text)


def test_a_second_server_in_a_folder_is_refused_as_before(tmp_path):
    first = [BIN / "twistd", "-n", "echo", *LISTEN]
    with start(*first, cwd=tmp_path, stderr=subprocess.STDOUT) as process:
        Output(process.stdout).wait_for("listening")
        done = run(*first, cwd=tmp_path)
        assert done.returncode == 1
        assert f"Another twistd server is running, PID {process.pid}".encode() in done.stderr
        assert (tmp_path / "twistd.pid").read_text() == str(process.pid)


@pytest.fixture
def as_pid_1(tmp_path):
    """Run a command as process 1 of its own, as a container does; its log and its process."""
    unshare = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
    try:
        if run(*unshare, "true").returncode:
            pytest.skip("this user may not make process namespaces")
    except FileNotFoundError:
        pytest.skip("there is no unshare")

    @contextmanager
    def as_pid_1(*command):
        with start(*unshare, *command, cwd=tmp_path, stderr=subprocess.STDOUT) as process:
            yield process, Output(process.stdout)

    return as_pid_1


def dockerfile():
    """The command of the container, with a port that is free."""
    text = (TOP / "docs" / "examples" / "Dockerfile").read_text()
    words = [word for kind in ("ENTRYPOINT", "CMD") for word in json.loads(line_of(kind, text))]
    return [BIN / words[0], *(word.replace("0.0.0.0:2020", "127.0.0.1:0") for word in words[1:])]


def line_of(kind, text):
    return re.search(rf"^{kind} (.*)$", text, re.MULTILINE)[1]


@pytest.mark.parametrize("command", [dockerfile(), [BIN / "twistd", "-n", "echo", *LISTEN]])
def test_as_process_1_it_starts_again_in_the_same_folder_after_it_was_killed(
    as_pid_1, command, tmp_path
):
    for _ in range(2):
        with as_pid_1(*command) as (process, log):
            port = int(log.wait_for(r"listening on 127\.0\.0\.1:(\d+)")[0][1])
            with connect(port) as sock:
                sock.sendall(b"hello")
                assert receive_exactly(sock, 5) == b"hello"
            if "--pidfile=" not in command:
                assert (tmp_path / "twistd.pid").read_text() == "1"
            process.kill()
            log.wait_for_end()
    with as_pid_1(*command) as (process, log):
        log.wait_for("listening")
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
        os.kill(int(children), signal.SIGTERM)
        assert process.wait(DEADLINE) == 0
        assert "Traceback" not in log.wait_for_end()


# What cannot be written. /proc is a folder where not even root can make a file.


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="no /proc")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-n"], "twistd.pid in /proc: No such file or directory; give twistd --pidfile FILE, or"),
        (["--pidfile="], "twistd.log in /proc: No such file or directory; give twistd --logfile"),
        (
            ["-n", "--pidfile=", "--logfile", "a.log"],
            "a.log in /proc: No such file or directory; give twistd another --logfile FILE",
        ),
        (["-n", "--pidfile", "/nosuch/a.pid"], "a.pid in /nosuch: No such file or directory; give"),
        (["-n", "--pidfile", "/proc"], "proc in /: it is a folder; give twistd --pidfile FILE"),
        (["--pidfile=", "--logfile", "/"], "/ in /: it is a folder; give twistd --logfile FILE or"),
    ],
)
def test_a_file_that_cannot_be_written_is_one_line_and_status_1(arguments, message):
    done = run(BIN / "twistd", *arguments, "echo", *LISTEN, cwd="/proc")
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.decode().startswith(f"twistd echo: cannot write {message}")
    assert done.stderr.count(b"\n") == 1


@pytest.mark.parametrize(
    ("folder", "why"), [("/nosuch", "No such file or directory"), ("/dev/null", "Not a directory")]
)
def test_a_folder_to_run_in_that_is_none_is_one_line_and_status_1(folder, why):
    done = run(BIN / "twistd", "-n", "--pidfile=", "--rundir", folder, "echo", *LISTEN)
    assert (done.returncode, done.stdout) == (1, b"")
    expected = f"twistd echo: cannot run in {folder}: {why}; give twistd another --rundir\n"
    assert done.stderr.decode() == expected


@pytest.mark.parametrize(
    "given",
    [
        {"logfile": "-"},
        {"nodaemon": False, "syslog": True},
        {"nodaemon": False, "logger": "a.b"},
        {"nodaemon": False, "logfile": "{}/log"},
        {"pidfile": "{}/pid", "logfile": "{}/log"},
        {"pidfile": "/nosuch/pid", "chroot": "/srv"},
        {"pidfile": "twistd.pid", "rundir": "{}"},
    ],
)
def test_files_that_can_be_written_or_are_not_are_no_mistake(given, tmp_path, monkeypatch):
    monkeypatch.chdir("/proc")
    texts = {n: v.format(tmp_path) if isinstance(v, str) else v for n, v in given.items()}
    check_files(options(**texts))
    assert not list(tmp_path.iterdir())
