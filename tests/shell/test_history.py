"""The history: what was typed, kept from run to run."""

from __future__ import annotations

import stat

from echoproto.shell.history import open_history


def test_history_is_kept_for_its_owner_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    history, problem = open_history("tcp://localhost:2020")
    assert problem is None
    history.append_string("secret \udcff")
    (path,) = (tmp_path / "echoproto" / "history").iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700

    again, _ = open_history("tcp://localhost:2020")
    assert list(again.load_history_strings()) == ["secret \ufffd"]
    other, _ = open_history("tcp://localhost:2021")
    assert list(other.load_history_strings()) == []


def test_where_no_history_can_be_kept_the_shell_still_has_one(tmp_path, monkeypatch):
    (tmp_path / "echoproto").write_text("a file is in the way")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    history, problem = open_history("tcp://localhost:2020")
    assert problem.startswith("The history cannot be saved: ")
    history.append_string("line")
    assert history.get_strings() == ["line"]
