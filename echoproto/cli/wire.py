"""The options that show what is on the wire: -x, -o and --pcap. Several commands have them.

`client.wire_outputs` writes the files. `wire.wire_view` makes the lines.
"""

from __future__ import annotations

import sys
from contextlib import ExitStack, closing, contextmanager, suppress
from typing import TYPE_CHECKING, Final, TypedDict, TypeVar

import click

from echoproto.cli.colours import coloured, wants_colours
from echoproto.cli.run import STDERR, STDOUT, is_terminal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

    from echoproto.client.wire_outputs import WireFile, WireOutputs
    from echoproto.wire.tap import OnWire, WireEvent
    from echoproto.wire.telnet.scanner import TelnetMode

C = TypeVar("C", bound="Callable[..., Any]")


class WireOptions(TypedDict):
    """The options, as click parses them."""

    wire: bool
    output: str | None
    pcap: str | None


_OPTIONS: Final = (
    click.option(
        "-x",
        "--wire",
        is_flag=True,
        help="Show what is on the wire, with times, in hex and as text; TLS decrypted, and telnet "
        "in words. A pipe shows it on standard error.",
    ),
    click.option(
        "-o",
        "--output",
        type=click.Path(),
        metavar="FILE",
        help="Write what is on the wire to FILE, as -x shows it, in whole.",
    ),
    click.option(
        "--pcap",
        type=click.Path(),
        metavar="FILE",
        help="Write what is on the wire to FILE, as a capture file for Wireshark; TLS decrypted.",
    ),
)


def wire_options(command: C) -> C:
    """Add the options to `command`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@contextmanager
def pipe_wire(
    options: WireOptions,
    mode: TelnetMode,
    inputs: Sequence[str | int] = (),
    *,
    is_mixed: bool = False,
) -> Iterator[OnWire | None]:
    """Open what `options` ask for, and give what to pass to `connect` as `on_wire`.

    The view of -x is on standard error. With `is_mixed`, what the server sends is on standard
    output. The rest is as in `wire_outputs`.
    """
    with wire_outputs(options, mode, inputs) as outputs:
        if outputs is not None and options["wire"]:
            outputs.add(_standard_error_view(mode, is_mixed=is_mixed))
        yield outputs


@contextmanager
def wire_outputs(
    options: WireOptions, mode: TelnetMode, inputs: Sequence[str | int] = ()
) -> Iterator[WireOutputs | None]:
    """Open the files of `options`, and give what writes to them. Without options, give None.

    `mode` says when the connection is telnet. `inputs` are the paths and the descriptors that are
    read, which no file may be. If a file could not be written to its end, exit with status 2 after
    the block.

    Raises click.UsageError for a file that is used twice, and OSError for one that cannot be opened
    or written.
    """
    files_wanted = {"-o": options["output"], "--pcap": options["pcap"]}
    if not options["wire"] and not any(path is not None for path in files_wanted.values()):
        yield None
        return
    from echoproto.client.wire_outputs import WireFile, WireOutputs

    with ExitStack() as stack:
        files = {}
        for name, path in files_wanted.items():
            if path is not None:
                _check_path(name, path)
                files[name] = stack.enter_context(closing(WireFile(path)))
        _check_files(files, inputs)
        outputs = WireOutputs(_say)
        if view := files.get("-o"):
            outputs.add_view(view, mode)
        if pcap := files.get("--pcap"):
            outputs.add_pcap(pcap)
        yield outputs
    if outputs.failed:
        raise SystemExit(2)


def _say(text: str) -> None:
    with suppress(OSError):  # there is no other place to say it
        click.echo(f"echoproto: {text}", err=True)


def _check_path(option: str, path: str) -> None:
    if path in ("", "-"):
        raise click.UsageError(
            f"{option} takes the name of a file: standard output has only what the server sends; "
            "-x shows what is on the wire on standard error"
        )


def _check_files(files: dict[str, WireFile], inputs: Sequence[str | int]) -> None:
    """Raise click.UsageError if a file would overwrite the input, the output or the other file."""
    for option, file in files.items():
        uses: list[tuple[str, str | int]] = [
            *(("is the input", name) for name in inputs),
            ("is the output", STDOUT),
            *(
                (f"is also the file of {other}", files[other].fd)
                for other in files
                if other != option
            ),
        ]
        for use, other in uses:
            if file.is_same(other):
                raise click.UsageError(f"{option} {file.path}: this file {use}")


def _standard_error_view(mode: TelnetMode, *, is_mixed: bool) -> Callable[[WireEvent], None]:
    """Return a function that shows each event on standard error, in colours on a terminal.

    With `is_mixed`, what the server sends is printed on standard output. If both are a terminal,
    and the server has not ended its line, the view begins a line of its own.
    """
    from echoproto.wire.tap import WireKind
    from echoproto.wire.wire_view import WireView, text_of

    view = WireView(mode)
    to_text = coloured if wants_colours(STDERR) else text_of
    is_mixed = is_mixed and is_terminal(STDOUT, STDERR)
    in_line = False

    def show(event: WireEvent) -> None:
        nonlocal in_line
        if in_line:
            sys.stderr.write("\n")
        for lines in view.batches(event):
            sys.stderr.write(to_text(lines))
        sys.stderr.flush()
        in_line = is_mixed and event.kind is WireKind.RECEIVED and not event.data.endswith(b"\n")

    return show
