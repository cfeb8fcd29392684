"""The wheel and the editable install, each in an empty venv, used outside the checkout."""

from __future__ import annotations

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


def pip(python, *words):
    done = subprocess.run(
        [python, "-m", "pip", "--quiet", "--disable-pip-version-check", *words],
        capture_output=True,
        timeout=PIP_DEADLINE,
        check=False,
        text=True,
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    pip(sys.executable, "wheel", "--no-deps", "--wheel-dir", folder, TOP)
    (path,) = folder.iterdir()
    return path


def test_the_wheel_holds_the_code_the_plugin_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    in_twisted = [name for name in names if name.startswith("twisted/")]
    assert in_twisted == ["twisted/plugins/echoproto_plugin.py"]
    assert "echoproto/py.typed" in names
    assert not [
        name for name in names if not re.match(r"echoproto(-.*\.dist-info)?/|twisted/", name)
    ]


@pytest.mark.parametrize("kind", ["wheel", "editable"])
def test_installed_in_an_empty_venv_it_lists_echo_and_serves(kind, wheel, tmp_path, monkeypatch):
    venv.create(tmp_path / "venv", with_pip=True)
    binaries = tmp_path / "venv" / "bin"
    pip(binaries / "python", "install", *([wheel] if kind == "wheel" else ["--editable", TOP]))

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
