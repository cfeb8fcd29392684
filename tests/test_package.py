"""The wheel and the editable install, each in an empty venv, used outside the checkout."""

from __future__ import annotations

import fcntl
import os
import re
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

import support

TOP = Path(__file__).parent.parent
PIP_DEADLINE = 300.0

pytestmark = pytest.mark.timeout(2 * PIP_DEADLINE)  # another process may be building the wheel


def pip(*words, python=sys.executable):
    """Run our pip, for another Python if need be: a venv without pip is made at once."""
    done = subprocess.run(
        [
            *[sys.executable, "-m", "pip", "--python", python],
            *["--quiet", "--disable-pip-version-check", *words],
        ],
        capture_output=True,
        timeout=PIP_DEADLINE,
        check=False,
        text=True,
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Built once: where tests run in several processes, those that come later find it there."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    folder = shared / "wheel"
    with (shared / "wheel.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            pip("wheel", "--no-deps", "--wheel-dir", folder, TOP)
    (path,) = folder.iterdir()
    return path


@pytest.mark.long
def test_the_wheel_holds_the_code_the_plugin_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    in_twisted = [name for name in names if name.startswith("twisted/")]
    assert in_twisted == ["twisted/plugins/echoproto_plugin.py"]
    assert "echoproto/py.typed" in names
    assert not [
        name for name in names if not re.match(r"echoproto(-.*\.dist-info)?/|twisted/", name)
    ]


@pytest.mark.long
@pytest.mark.parametrize("kind", ["wheel", "editable"])
def test_installed_in_an_empty_venv_it_lists_echo_and_serves(kind, request, tmp_path, monkeypatch):
    venv.create(tmp_path / "venv")
    binaries = tmp_path / "venv" / "bin"
    what = [request.getfixturevalue("wheel")] if kind == "wheel" else ["--editable", TOP]
    pip("install", "--no-compile", *what, python=binaries / "python")  # most is never imported

    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.delenv("PYTHONPATH", raising=False)
    listed = support.run(binaries / "twistd", "--help").stdout
    assert re.search(rb"^ +echo +An echo service", listed, re.MULTILINE)

    monkeypatch.setattr(support, "BIN", binaries)
    with support.serve() as server, support.connect(server.port) as sock:
        sock.sendall(b"hello")
        assert support.receive_exactly(sock, 5) == b"hello"
    done = support.run(binaries / "echoproto", input=b"hello\n")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"hello\n", b"")
    assert not list(Path.cwd().iterdir())
