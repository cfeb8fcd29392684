r"""What a tap reports, as lines: what a person reads, in whole."""

from __future__ import annotations

import datetime as dt
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from echoproto.wire.tap import WireEvent, WireKind
from echoproto.wire.wire_view import WireView, text_of

NOON = dt.datetime(2027, 1, 15, 12, 0, 0, 789000, dt.UTC).timestamp()
CET = dt.timezone(dt.timedelta(hours=1))


def event(kind, data=b"", after=0.0, **fields):
    return WireEvent(NOON + after, WireKind[kind], data, **fields)


def text(*events, mode="never", **options):
    view = WireView(mode, zone=CET, **options)
    return "".join(text_of(view.lines(each)) for each in events)


def rows(*events, **options):
    """The same, without the times."""
    return [line.removeprefix("13:00:00.789 ") for line in text(*events, **options).splitlines()]


def test_a_conversation_can_be_read_from_its_start_to_its_end():
    shown = text(
        event("CONNECTED", local=("127.0.0.1", 40000), remote=("::1", 2020)),
        event("SENT", b"hello\r\n", 0.001),
        event("RECEIVED", b"hello\r\n\0", 0.0025),
        event("SENT_EOF", after=1),
        event("RECEIVED_EOF", after=61),
        event("CLOSED", after=61),
        is_dated=True,
    )
    assert shown == (
        "2027-01-15 (UTC+01:00)\n"
        "13:00:00.789 * connected from 127.0.0.1:40000 to [::1]:2020\n"
        "13:00:00.790 > sent 7 bytes\n"
        "  0000  68 65 6c 6c 6f 0d 0a                              hello\\r\\n\n"
        "13:00:00.791 < received 8 bytes\n"
        "  0000  68 65 6c 6c 6f 0d 0a                              hello\\r\\n\n"
        "  0007  00                                                \\0\n"
        "13:00:01.789 > end: we send no more (FIN)\n"
        "13:01:01.789 < end: the peer sends no more (FIN)\n"
        "13:01:01.789 * closed\n"
    )


def test_the_date_is_shown_once_a_day():
    events = [event("CLOSED", after=hours * 3600) for hours in (0, 1, 24)]
    dates = [line for line in text(*events, is_dated=True).splitlines() if "UTC" in line]
    assert dates == ["2027-01-15 (UTC+01:00)", "2027-01-16 (UTC+01:00)"]
    assert "UTC" not in text(*events)


def test_tls_and_what_goes_wrong_are_told():
    assert rows(
        event("CONNECTED", local=("127.0.0.1", 1), remote=("127.0.0.1", 2)),
        event("TLS_ESTABLISHED", text="TLSv1.3, AES"),
        event("SENT_EOF"),
        event("RECEIVED_EOF", text="without close_notify"),
        event("LOST", text="Connection reset by peer"),
    )[1:] == [
        "* TLS is established (TLSv1.3, AES): shown decrypted",
        "> end: we send no more (close_notify)",
        "< end: the peer sends no more, without close_notify",
        "* lost: Connection reset by peer",
    ]


def test_a_unix_socket_has_a_path_and_no_fin():
    assert rows(event("CONNECTED", remote="/run/x\x1b[2J"), event("SENT_EOF")) == [
        r"* connected to /run/x\x1b[2J",
        "> end: we send no more",
    ]


def test_of_much_data_the_first_rows_are_shown_and_the_rest_is_counted():
    assert rows(event("SENT", bytes(65536)), max_rows=2) == [
        "> sent 65,536 bytes",
        f"  0000  {'00 ' * 8} {'00 ' * 8} {chr(92)}0" + r"\0" * 15,
        f"  0010  {'00 ' * 8} {'00 ' * 8} {chr(92)}0" + r"\0" * 15,
        "  … 65,504 more bytes",
    ]
    assert len(rows(event("SENT", bytes(32)), max_rows=2)) == 3
    assert len(rows(event("SENT", bytes(65536)))) == 1 + 4096


def test_the_lines_of_much_data_come_in_batches_too():
    event_of_much = event("SENT", b"\n" * 5000)
    batches = list(WireView(zone=CET).batches(event_of_much))
    assert max(map(len, batches)) < 5001 / 4
    assert [line for batch in batches for line in batch] == WireView(zone=CET).lines(event_of_much)


def test_offsets_of_one_event_are_equally_wide():
    shown = rows(event("SENT", b"\n" * 0x10002))
    assert (shown[1][:8], shown[-1][:8]) == ("  00000 ", "  10001 ")


def test_a_narrow_view_shows_fewer_bytes_in_a_row():
    assert rows(event("SENT", b"0123456789"), width=50) == [
        "> sent 10 bytes",
        "  0000  30 31 32 33 34 35 36 37  01234567",
        "  0008  38 39                    89",
    ]


def telnet_rows(*events, **options):
    return [row[8:].rstrip() for row in rows(*events, **options) if row.startswith("  ")]


def test_telnet_is_told_in_words_also_when_rows_are_left_out():
    events = [event("RECEIVED", b"hi\r\n\xff\xfb"), event("RECEIVED", b"\x01")]
    shown = rows(*events, mode="always", max_rows=1)
    assert shown[2] == "  … 2 more bytes"
    assert shown[4].endswith("… IAC WILL ECHO")
    assert all("IAC" not in row for row in telnet_rows(*events))


def test_what_the_peer_sends_makes_both_directions_telnet():
    sent = event("SENT", b"\xff\xff")
    command = event("RECEIVED", b"\xff\xfb\x01")
    before, words, after = telnet_rows(sent, command, sent, mode="auto")
    assert not before.endswith("IAC IAC")
    assert words.endswith("IAC WILL ECHO")
    assert after.endswith("IAC IAC")


def test_our_command_makes_a_connection_telnet():
    shown = telnet_rows(event("SENT", b"\xff\xf6"), event("RECEIVED", b"\xff\xf9"), mode="auto")
    assert [row.split("  ")[-1].strip() for row in shown] == ["IAC AYT", "IAC GA"]


def test_bytes_that_we_send_do_not_settle_that_the_peer_is_not_telnet():
    shown = telnet_rows(event("SENT", b"\xffx"), event("RECEIVED", b"\xff\xfb\x01"), mode="auto")
    assert shown[1].endswith("IAC WILL ECHO")
    plain = [event("RECEIVED", b"\xffx"), event("SENT", b"\xff\xfb\x01")]
    assert "IAC" not in "".join(telnet_rows(*plain, mode="auto"))


def test_a_new_connection_begins_anew():
    connected = event("CONNECTED", local=("127.0.0.1", 1), remote=("127.0.0.1", 2))
    events = [event("RECEIVED", b"\xff\xfb\x01"), event("RECEIVED", b"\xff"), connected]
    shown = telnet_rows(*events, event("RECEIVED", b"\xfb\x01"), mode="always")
    assert "IAC" not in shown[-1]


def test_the_styles_tell_the_directions_and_escapes_apart():
    view = WireView("always", zone=CET)
    first, data, command = view.lines(event("SENT", b"a\n\xff\xf6"))
    offset, _, text, escape = data
    assert first[1] == ("sent", "> sent 4 bytes")
    assert (offset, text, escape) == (("dim", "  0000  "), ("sent", "a"), ("escape", r"\n"))
    assert command[2] == ("telnet", "IAC AYT")
    assert view.lines(event("RECEIVED", b"a"))[0][1][0] == "received"
    assert view.lines(event("CLOSED"))[0][1][0] == "notice"


@given(
    st.lists(st.tuples(st.sampled_from(WireKind), st.binary(), st.text())),
    st.sampled_from(["always", "auto", "never"]),
)
def test_nothing_that_is_shown_controls_the_terminal(events, mode):
    view = WireView(mode, zone=CET)
    for kind, data, words in events:
        lines = view.lines(WireEvent(NOON, kind, data, remote=words, text=words))
        shown = "".join(part for line in lines for _, part in line)
        allowed = ("\u200c", "\u200d")
        assert not [c for c in shown if unicodedata.category(c)[0] == "C" and c not in allowed]
