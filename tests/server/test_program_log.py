"""The log of the program, in real processes: who does not read it stops nobody."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import socket
import subprocess
from contextlib import contextmanager

import pytest
from twisted.logger import LogLevel, formatEventAsClassicLogText
from twisted.python.failure import Failure

from echoproto.server.program_log import format_event, take_over
from support import BIN, DEADLINE, Output, connect, eventually, receive_exactly, run, start, watched

pytestmark = pytest.mark.long

ECHO = ["echo", "--listen", "127.0.0.1:0"]
LISTENING = rb"listening on 127\.0\.0\.1:(\d+)\n"


@contextmanager
def unread(*command):
    """A server whose log is a pipe that is read up to the line that names its port."""
    reader, writer = os.pipe()
    with subprocess.Popen(command, stdout=writer, stderr=subprocess.STDOUT) as process:
        os.close(writer)
        log = b""
        try:
            while not re.search(LISTENING, log):
                more = os.read(reader, 1)
                assert more, log
                log += more
            yield process, int(re.search(LISTENING, log)[1]), reader
        finally:
            process.kill()
            os.close(reader)


def echo(port):
    with connect(port) as sock:
        sock.sendall(b"hello")
        assert receive_exactly(sock, 5) == b"hello"


@contextmanager
def reading(reader):
    """Read the log from here on."""
    with os.fdopen(reader, "rb", closefd=False) as stream:
        yield Output(stream)


def twistd(reactor, *options):
    return [BIN / "twistd", "-n", "--pidfile=", "--reactor", reactor, *options, *ECHO]


@pytest.mark.parametrize("program", ["twistd", "twist"])
def test_a_log_that_nobody_reads_stops_neither_clients_nor_sigterm(program, reactor):
    command = twistd(reactor)
    if program == "twist":
        command = [BIN / "twist", "--reactor", reactor, "--log-format=text", *ECHO]
    with unread(*command) as (process, port, reader):
        for _ in range(1000):
            echo(port)
        process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE) == 0
        with reading(reader) as output:
            log = output.wait_for_end()
    numbers = [int(number) for number in re.findall(r"\[(\d+)\] \S+ connected\n", log)]
    assert numbers == list(range(1, len(numbers) + 1))
    assert 100 < len(numbers) < 1000
    assert log.endswith("\n")


def test_what_did_not_fit_is_reported_once_when_the_log_is_read_again():
    with unread(*twistd("uvloop")) as (process, port, reader):
        for _ in range(6500):
            echo(port)
        with reading(reader) as log:
            [report] = log.wait_for(r" \[echoproto#warn\] ([\d,]+) lines dropped: ")
            echo(port)
            log.wait_for(r"\[6501\] .* disconnected")
            process.send_signal(signal.SIGTERM)
            assert process.wait(DEADLINE) == 0
            text = log.wait_for_end()
    lines = re.findall(r"#info\] \[(\d+)\] ", text)
    assert len(lines) + int(report[1].replace(",", "")) == 2 * 6501
    assert text.count("dropped") == 1
    before, _, after = text.partition("dropped")
    assert "[1] " in before
    assert [int(n) for n in re.findall(r"#info\] \[(\d+)\] ", after)] == [6501, 6501]
    assert text.endswith("Server Shut Down.\n")


def test_a_log_whose_reader_is_gone_stops_nobody(reactor):
    with start(*twistd(reactor), stderr=subprocess.PIPE) as process:
        with process.stdout as log:
            for line in log:
                if found := re.search(LISTENING, line):
                    break
        for _ in range(20):
            echo(int(found[1]))
        process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE) == 0
        assert process.stderr.read() == b""


def test_every_line_from_the_first_to_the_last_is_there_in_its_place(reactor):
    with unread(*twistd(reactor)) as (process, port, reader):
        echo(port)
        with reading(reader) as output:
            output.wait_for("disconnected")
            process.send_signal(signal.SIGTERM)
            log = output.wait_for_end()
    ends = [
        r"\[1\] \S+ connected",
        r"\[1\] \S+ disconnected: .*",
        "Received SIGTERM, shutting down.",
        r"\(TCP Port \d+ Closed\)",
        *(["Main loop terminated."] if reactor == "epoll" else []),
        "Server Shut Down.",
    ]
    time = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4}"
    assert re.fullmatch("".join(rf"{time} \[[^]]+\] {end}\n" for end in ends), log)


def test_the_log_of_a_server_that_cannot_start_is_written():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run(BIN / "twistd", "-n", "--pidfile=", "echo", "-l", f"127.0.0.1:{port}")
    assert done.returncode == 1
    assert b"starting up" in done.stdout


@pytest.mark.parametrize("options", [[], ["--logfile=-"], ["--logfile=the.log"]])
def test_the_log_is_where_the_user_wants_it(options, tmp_path):
    path = tmp_path / "the.log"
    command = [BIN / "twistd", "-n", "--pidfile=", f"--rundir={tmp_path}", *options, *ECHO]
    with watched(*command, cwd=tmp_path) as (process, output):
        if "the.log" in str(options):
            eventually(lambda: path.exists() and "listening on" in path.read_text(), "the log")
            assert output.text == ""
        else:
            output.wait_for("listening on")
        process.send_signal(signal.SIGTERM)
        process.wait(DEADLINE)
        text = output.wait_for_end() or path.read_text()
    assert "starting up" in text
    assert text.endswith("Server Shut Down.\n")


def test_a_log_file_is_rotated_at_sigusr1(tmp_path):
    path = tmp_path / "log"
    command = [BIN / "twistd", "-n", "--pidfile=", f"--logfile={path}", *ECHO]
    with start(*command) as process:
        eventually(lambda: path.exists() and "listening on" in path.read_text(), "the log")
        process.send_signal(signal.SIGUSR1)
        eventually((tmp_path / "log.1").exists, "the rotated log")
        process.send_signal(signal.SIGTERM)
        process.wait(DEADLINE)
    assert "listening on" in (tmp_path / "log.1").read_text()
    assert path.read_text().endswith("Server Shut Down.\n")


def test_a_log_file_that_cannot_be_opened_is_one_line_and_status_1(tmp_path):
    done = run(BIN / "twistd", "--pidfile=", f"--logfile={tmp_path}/nosuch/log", *ECHO)
    assert done.returncode == 1
    problem = f"cannot write log in {tmp_path}/nosuch: No such file or directory"
    assert done.stderr.decode().startswith(f"twistd echo: {problem}")
    assert done.stderr.count(b"\n") == 1


def test_a_log_observer_of_the_user_s_own_is_left_alone(tmp_path):
    (tmp_path / "mine.py").write_text(
        "from twisted.logger import jsonFileLogObserver\n"
        "def observer(): return jsonFileLogObserver(open('json', 'w'), '')\n"
    )
    command = [BIN / "twistd", "-n", "--pidfile=", "--logger=mine.observer", *ECHO]
    path = tmp_path / "json"
    environment = os.environ | {"PYTHONPATH": f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"}
    with start(*command, cwd=tmp_path, env=environment) as process:
        eventually(lambda: path.exists() and "listening on" in path.read_text(), "the log")
        process.send_signal(signal.SIGTERM)
        assert process.stdout.read() == b""
        process.wait(DEADLINE)
    assert json.loads(path.read_text().splitlines()[-1])["log_format"] == "Server Shut Down."


@pytest.mark.parametrize(
    "options",
    [
        None,
        {"syslog": True, "nodaemon": True},
        {"logger": print, "nodaemon": True},
        {"logfile": "-", "nodaemon": False},  # twistd refuses this itself
    ],
)
def test_what_is_not_ours_to_write_is_not_taken_over(options):
    assert take_over(options, None) is None


def test_a_stream_without_a_descriptor_is_not_taken_over(monkeypatch):
    for stdout in (None, io.StringIO()):
        monkeypatch.setattr("sys.stdout", stdout)
        assert take_over({"nodaemon": True}, None) is None


def test_twist_logs_json_too(reactor):
    command = [BIN / "twist", "--reactor", reactor, "--log-format=json", *ECHO]
    with watched(*command) as (process, output):
        output.wait_for('"listening on ')
        process.send_signal(signal.SIGTERM)
        events = output.wait_for_end().strip("\x1e").split("\x1e")
    texts = [json.loads(event).get("log_text", "") for event in events]
    assert any(re.fullmatch(r"\(TCP Port \d+ Closed\)", text) for text in texts)


INFO = {"log_level": LogLevel.info, "log_namespace": "echoproto", "log_time": 1500000000.5}


@pytest.mark.parametrize(
    "event",
    [
        {"log_format": "{log_text}", "log_text": "one {two}"},
        {"log_format": "{log_text}", "log_text": "one\ntwo"},
        {"log_format": "{log_text}", "log_text": "one", "log_system": "-"},
        {"log_format": "{log_text}", "log_text": "one", "log_failure": Failure(OSError("two"))},
        {"log_format": "{one} {{", "one": "two"},
        {"log_format": "{one} {nosuch}"},
        {},
    ],
)
def test_an_event_is_formatted_as_twistd_formats_it(event):
    assert format_event(INFO | event) == formatEventAsClassicLogText(INFO | event)
