"""The pictures of the documents are made from real sessions."""

from __future__ import annotations

import re
from html import unescape
from xml.etree import ElementTree as ET

import pictures
import pytest


@pytest.mark.interop
def test_the_picture_of_the_shell_shows_what_was_typed_and_what_came(tmp_path):
    pictures.main(tmp_path)
    svg = (tmp_path / "shell.svg").read_text()
    ET.fromstring(svg)
    text = unescape("".join(re.findall(r"<text[^>]*>([^<]*)</text>", svg))).replace("\xa0", " ")
    for shown in ("echoproto -x", "> hello, wörld", "sent 15 bytes", "received 11 bytes", "⏎"):
        assert shown in text
    assert "http" not in svg.replace("http://www.w3.org/2000/svg", "")
