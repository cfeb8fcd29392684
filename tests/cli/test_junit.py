from __future__ import annotations

from xml.etree import ElementTree as ET

from echoproto.cli.junit import Outcome, junit_xml


def test_the_document_counts_and_shows_what_differs():
    root = ET.fromstring(
        junit_xml([
            Outcome("a.session", 1.5),
            Outcome("b.session", 0.25, failure="b.session:3: it differs\n  -< ä\n  +< <&\x1b"),
            Outcome("c.session", 0.25, error="cannot connect"),
        ])
    )  # fmt: skip
    (suite,) = root
    assert suite.attrib == {
        "name": "echoproto replay",
        "tests": "3",
        "failures": "1",
        "errors": "1",
        "time": "2.000",
    }
    good, bad, lost = suite
    assert (good.attrib["name"], good.attrib["time"], list(good)) == ("a.session", "1.500", [])
    assert bad[0].tag == "failure"
    assert bad[0].attrib == {"message": "b.session:3: it differs"}
    assert bad[0].text == "b.session:3: it differs\n  -< ä\n  +< <&\ufffd"
    assert (lost[0].tag, lost[0].text) == ("error", "cannot connect")


def test_an_outcome_is_good_if_nothing_failed():
    assert Outcome("a", 1).is_good
    assert not Outcome("a", 1, failure="x").is_good
    assert not Outcome("a", 1, error="x").is_good
