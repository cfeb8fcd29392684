"""Writes the results of a replay as JUnit XML, which CI systems read: `junit_xml`.

There is no standard for the format. This is the part of it that all readers know: a test suite, a
test case for each file, and a failure (a difference) or an error (no connection) inside it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

_NOT_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, section 2.2


class Outcome(NamedTuple):
    """The result of replaying one file, once or several times.

    `seconds` is the time that it took. `failure` is the text of a difference and `error` that of
    another failure; both are empty if all was as recorded.
    """

    name: str
    seconds: float
    failure: str = ""
    error: str = ""

    @property
    def is_good(self) -> bool:
        """Whether all was as recorded."""
        return not (self.failure or self.error)


def junit_xml(outcomes: Sequence[Outcome]) -> bytes:
    """Return `outcomes` as an XML document in UTF-8."""
    from xml.etree.ElementTree import Element, SubElement, indent, tostring

    suites = Element("testsuites")
    suite = SubElement(
        suites,
        "testsuite",
        name="echoproto replay",
        tests=str(len(outcomes)),
        failures=str(sum(bool(outcome.failure) for outcome in outcomes)),
        errors=str(sum(bool(outcome.error) for outcome in outcomes)),
        time=f"{sum(outcome.seconds for outcome in outcomes):.3f}",
    )
    for outcome in outcomes:
        case = SubElement(
            suite,
            "testcase",
            classname="echoproto.replay",
            name=_text(outcome.name),
            time=f"{outcome.seconds:.3f}",
        )
        for kind in ("failure", "error"):
            if text := getattr(outcome, kind):
                what = SubElement(case, kind, message=_text(text.partition("\n")[0]))
                what.text = _text(text)
    indent(suites)
    document: bytes = tostring(suites, encoding="utf-8", xml_declaration=True)
    return document + b"\n"


def _text(text: str) -> str:
    """Return `text` without what XML cannot hold: a file's name may have it."""
    return _NOT_XML.sub("\ufffd", text)
