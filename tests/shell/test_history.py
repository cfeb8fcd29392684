"""The history: what was typed, kept from run to run."""

from __future__ import annotations

import os
import resource
import stat
from contextlib import contextmanager
from threading import Thread

import pytest
from prompt_toolkit.history import InMemoryHistory

from echoproto.shell.history import open_history
from in_shell import CTRL_C, DO, ECHO, ENTER, UP, WILL, WONT, in_shell
from support import DEADLINE


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """The folder of the histories, which is not there yet."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "echoproto" / "history"


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@contextmanager
def full_disk():
    """No file can grow beyond one byte, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def load(key="key"):
    return list(open_history(key).load_history_strings())


# The file


def test_history_is_kept_for_its_owner_alone(folder):
    history = open_history("tcp://localhost:2020")
    history.append_string("secret")
    (path,) = folder.iterdir()
    assert (mode(path), mode(folder)) == (0o600, 0o700)
    assert load("tcp://localhost:2020") == ["secret"]
    assert load("tcp://localhost:2021") == []


@pytest.mark.parametrize(
    "line", ["\udcff\udc80", "a\rb", "a\n+b\n\n# c", "\u2028\x0c\x85", "+", "\t"]
)
def test_a_line_comes_back_as_it_was(line):
    open_history("key").append_string(line)
    open_history("key").append_string("next")
    assert load() == ["next", line]


def test_a_history_may_be_a_link_and_its_mode_is_left_alone(folder, tmp_path):
    elsewhere = tmp_path / "dotfiles"
    elsewhere.write_text("\n# 2026-11-26 12:00:00\n+earlier\n")
    elsewhere.chmod(0o640)
    folder.mkdir(parents=True)
    (folder / "key").symlink_to(elsewhere)
    history = open_history("key")
    assert list(history.load_history_strings()) == ["earlier"]
    history.append_string("later")
    assert load() == ["later", "earlier"]
    assert mode(elsewhere) == 0o640
    assert (folder / "key").is_symlink()


def test_two_shells_on_one_history_lose_nothing():
    long = "x" * 50_000

    def type_(name):
        history = open_history("key")
        for number in range(50):
            history.append_string(f"{name} {number} {long}")

    shells = [Thread(target=type_, args=[name]) for name in "abc"]
    for shell in shells:
        shell.start()
    for shell in shells:
        shell.join(DEADLINE)
    assert sorted(load()) == sorted(
        f"{name} {number} {long}" for name in "abc" for number in range(50)
    )


# What cannot be saved is said once, and the shell goes on


def in_the_way(folder):
    folder.parent.mkdir(parents=True)
    folder.write_text("a file is in the way")


def a_folder(folder):
    (folder / "key").mkdir(parents=True)


def a_loop_of_links(folder):
    folder.mkdir(parents=True)
    (folder / "key").symlink_to(folder / "key")


@pytest.mark.parametrize("prepare", [in_the_way, a_folder, a_loop_of_links])
def test_where_no_history_can_be_kept_the_shell_still_has_one(folder, prepare):
    prepare(folder)
    said = []

    async def script(type_, peer, _):
        type_("one" + ENTER + "two" + ENTER + UP + UP + ENTER)
        await peer.has_received(b"one\r\ntwo\r\none\r\n")

    in_shell(script, history=open_history("key", said.append))
    (problem,) = said
    assert problem.startswith("The history cannot be saved: ")


def test_a_full_disk_is_said_once_and_what_follows_is_kept():
    said = []
    history = open_history("key", said.append)
    history.append_string("before")
    with full_disk():
        history.append_string("lost")
        history.append_string("lost too")
    history.append_string("after")
    (problem,) = said
    assert problem == "The history cannot be saved: [Errno 27] File too large"
    assert history.get_strings() == ["before", "lost", "lost too", "after"]
    assert load() == ["after", "before"]


def test_a_pipe_in_place_of_a_history_is_not_waited_for(folder):
    folder.mkdir(parents=True)
    os.mkfifo(folder / "key")
    said = []
    assert list(open_history("key", said.append).load_history_strings()) == []
    reader = os.open(folder / "key", os.O_RDONLY | os.O_NONBLOCK)
    open_history("key", said.append).append_string("secret")
    assert os.read(reader, 100) == b""
    os.close(reader)
    for problem in said:
        assert problem.startswith("The history cannot be saved: ")
    assert said[1].endswith("is not a regular file")


# What is kept, and found again


def test_up_right_after_enter_finds_the_line_just_sent():
    async def script(type_, peer, _):
        type_("first" + ENTER + "hello" + ENTER + UP + ENTER + UP + UP + ENTER)
        await peer.has_received(b"first\r\nhello\r\nhello\r\nfirst\r\n")

    in_shell(script)


def test_a_line_that_begins_with_a_space_is_sent_and_not_kept():
    history = InMemoryHistory()

    async def script(type_, peer, _):
        type_(" secret" + ENTER + "\x1b[200~one\n two\nthree\n\x1b[201~")
        await peer.has_received(b" secret\r\none\r\n two\r\nthree\r\n")

    in_shell(script, history=history)
    assert history.get_strings() == ["one", "three"]


@pytest.mark.parametrize(
    "prompt",
    [
        "Password: ",
        "[sudo] password for me: ",
        "Enter passphrase for key '/a/b': ",
        "PIN>",
        "Passwort: ",
    ],
)
def test_the_answer_to_a_prompt_that_asks_for_a_secret_is_hidden_and_not_kept(prompt):
    history = InMemoryHistory()

    async def script(type_, peer, screen):
        await peer.say(prompt.encode())
        await screen.shows(prompt)
        type_("secret")
        await screen.shows("******")
        type_(ENTER + "ls" + ENTER)
        await peer.has_received(b"secret\r\nls\r\n")
        await screen.shows("> ls\r\n")

    _, shown = in_shell(script, history=history)
    assert "secret" not in shown.text
    assert history.get_strings() == ["ls"]


@pytest.mark.parametrize(
    "prompt", ["me@password-server:~$ ", "Change the password (y/n)? ", "spinning: ", "login: "]
)
def test_the_answer_to_another_prompt_is_not_hidden(prompt):
    history = InMemoryHistory()

    async def script(type_, peer, screen):
        await peer.say(prompt.encode())
        await screen.shows(prompt)
        type_("answer" + ENTER)
        await screen.shows(f"{prompt}answer\r\n")

    in_shell(script, history=history)
    assert history.get_strings() == ["answer"]


def test_a_secret_that_is_pasted_with_what_follows_it_is_hidden_alone():
    history = InMemoryHistory()

    async def script(type_, peer, screen):
        await peer.say(b"Password: ")
        await screen.shows("Password: ")
        type_("\x1b[200~secret\nls\n\x1b[201~")
        await screen.shows("> ls\r\n")

    _, shown = in_shell(script, history=history)
    assert "secret" not in shown.text
    assert history.get_strings() == ["ls"]


def test_what_was_typed_hidden_is_gone_when_another_line_of_the_peer_ends_the_prompt():
    async def script(type_, peer, screen):
        await peer.say(b"Password: ")
        await screen.shows("Password: ")
        type_("secret")
        await screen.shows("******")
        await peer.say(b"\r\ntimed out\r\nlogin: ")
        await screen.shows("login: ")
        type_("me" + ENTER)
        await peer.has_received(b"\r\n")

    received, shown = in_shell(script)
    assert received == b"me\r\n"
    assert "secret" not in shown.text


def test_what_was_typed_before_the_server_echoed_is_there_again_when_it_stops():
    async def script(type_, peer, screen):
        type_("half a l")
        await screen.shows("half a l")
        await peer.say(WILL + ECHO)
        await peer.has_received(DO + ECHO)
        await peer.say(WONT + ECHO + b"go on\r\n")
        await screen.shows("go on")
        type_("ine" + ENTER)
        await peer.has_received(b"half a line\r\n")

    in_shell(script)


def test_ctrl_c_at_a_secret_clears_it():
    async def script(type_, peer, screen):
        await peer.say(b"Password: ")
        await screen.shows("Password: ")
        type_("wrong" + CTRL_C + "right" + ENTER)
        await peer.has_received(b"right\r\n")

    assert in_shell(script)[0] == b"right\r\n"
