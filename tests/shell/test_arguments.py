"""What a word on the command line stands for: bytes, and the names of files."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from echoproto.shell.arguments import complete_path, parse_bytes, parse_path
from echoproto.wire.session_text import write

# Bytes


@pytest.mark.parametrize(
    ("word", "data"),
    [
        ('""', b""),
        (r'"\x00\xffraw"', b"\x00\xffraw"),
        (r'"\r\n\t\0\e\\"', b"\r\n\t\0\x1b\\"),
        (r'"say \"hi\" \\"', b'say "hi" \\'),
        (r'"\\x00"', rb"\x00"),
        (r'"\${x} $5 ü"', "${x} $5 ü".encode()),
        ('"\udcff"', b"\xff"),
    ],
)
def test_bytes_are_read_with_their_escapes(word, data):
    assert parse_bytes(word) == data


@given(st.binary())
def test_any_bytes_can_be_written(data):
    escaped = write(data).replace('"', r"\"")
    assert parse_bytes(f'"{escaped}"') == data


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ('"open', "the quote at the end is missing"),
        (r'"open\"', "the quote at the end is missing"),
        (r'"\q"', r"\\q is not an escape"),
        (r'"\x1"', "two hexadecimal digits"),
        ('"${x}"', "no variables"),
        ('"a ${x} b"', "no variables"),
    ],
)
def test_what_is_wrong_with_bytes_is_said(word, message):
    with pytest.raises(ValueError, match=message):
        parse_bytes(word)


# Files


def test_the_name_of_a_file_cannot_contain_nul():
    with pytest.raises(ValueError, match="cannot contain NUL"):
        parse_path("a\0b")
    assert complete_path("a\0b/c") == []


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for name in ("one.txt", "only", ".hidden", "two words", 'quo"te', "three\\"):
        (tmp_path / name).touch()
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "deep").touch()
    (tmp_path / "my files").mkdir()
    (tmp_path / "my files" / "in").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "old"))
    return tmp_path


@pytest.mark.parametrize(
    ("begun", "words"),
    [
        ("on", ["one.txt", "only"]),
        ("o", ["old/", "one.txt", "only"]),
        ("old/", ["old/deep"]),
        ("./on", ["./one.txt", "./only"]),
        ("~/", ["~/deep"]),
        (".h", [".hidden"]),
        ("tw", ['"two words"']),
        ('"two w', ['"two words"']),
        ('"on', ['"one.txt"', '"only"']),
        ("qu", [r'"quo\"te"']),
        ("thr", [r'"three\\"']),
        ("my", ['"my files/']),
        ('"my files/', ['"my files/in"']),
        ("nosuch", []),
        ("nosuch/", []),
    ],
)
@pytest.mark.usefixtures("folder")
def test_what_a_name_can_become(begun, words):
    assert list(complete_path(begun)) == words


@pytest.mark.parametrize("name", ["one.txt", "two words", 'quo"te', "three\\"])
@pytest.mark.usefixtures("folder")
def test_what_completion_offers_is_the_name_of_the_file(name):
    (word,) = complete_path(name[:-1] if name != "one.txt" else "one")
    assert parse_path(word) == name
    assert Path(parse_path(word)).exists()


@pytest.mark.usefixtures("folder")
def test_hidden_files_are_offered_only_after_their_dot():
    assert "one.txt" in " ".join(complete_path(""))
    assert ".hidden" not in " ".join(complete_path(""))


def test_a_tilde_is_the_users_folder(folder):
    assert parse_path("~/deep") == str(folder / "old" / "deep")


def test_what_is_wrong_with_a_name_is_said():
    for word, message in [('""', "is empty"), ('"open', "quote at the end is missing")]:
        with pytest.raises(ValueError, match=message):
            parse_path(word)
