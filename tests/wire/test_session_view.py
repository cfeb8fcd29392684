"""A session file as the wire view."""

from __future__ import annotations

from echoproto.wire.recorder import Recorder
from echoproto.wire.session_file import parse
from echoproto.wire.session_view import session_lines
from echoproto.wire.wire_view import text_of


def shown(text, width=80, **values):
    session = parse(f"# echoproto session 1\n{text}".encode(), "a.session")
    return text_of(session_lines(session, values, width)).splitlines()


def test_a_record_is_shown_with_its_times_and_bytes():
    recorder = Recorder(target="tcp://localhost:25", began=1000.0)
    text = recorder.header() + recorder.received(b"220 hi\r\n", 1000.25)
    text += recorder.sent(b"QUIT\r\n", 1061.5) + recorder.sent_eof(1061.5)
    text += recorder.received(b"bye\n", 1061.75) + recorder.received_eof(1062.0)
    assert shown(text.partition("\n")[2]) == [
        "* session with tcp://localhost:25",
        "00:00:00.250 < received 8 bytes",
        "  0000  32 32 30 20 68 69 0d 0a                           220 hi\\r\\n",
        "00:01:01.500 > sent 6 bytes",
        "  0000  51 55 49 54 0d 0a                                 QUIT\\r\\n",
        "00:01:01.500 > end: we send no more",
        "00:01:01.750 < received 4 bytes",
        "  0000  62 79 65 0a                                       bye\\n",
        "00:01:01.750 < end: the peer sends no more",
    ]


def test_a_file_without_times_is_shown_without_times():
    assert shown("> a\n> b\n< ok\\") == [
        "> sent 6 bytes",
        "  0000  61 0d 0a                                          a\\r\\n",
        "  0003  62 0d 0a                                          b\\r\\n",
        "< received 2 bytes",
        "  0000  6f 6b                                             ok",
    ]


def test_what_has_no_known_bytes_is_shown_in_words():
    assert shown("@ 1\n<*\n<~ a(b)\x7f\n".replace("\x7f", "\u202e") + "<~ > \\\n>! ayt") == [
        "00:00:01.000 < any number of lines",
        "00:00:01.000 < a line that matches a(b)\\xe2\\x80\\xae",
        "00:00:01.000 < what matches > \\",
        "00:00:01.000 > sent telnet's AYT",
    ]


def test_a_variable_has_its_value_or_its_name():
    text = "set user al\n> ${user} ${pw}"
    assert shown(text)[1].endswith("al ${pw}\\r\\n")
    assert shown(text, pw=b"x")[1].endswith("al x\\r\\n")


def test_rows_are_as_long_as_the_terminal_is_wide():
    rows = [shown(f"> {'x' * 40}", width)[1:] for width in (80, 50)]
    assert len(rows[0]) < len(rows[1])
