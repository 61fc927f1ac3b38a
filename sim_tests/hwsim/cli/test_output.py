"""Texts of inputs on the terminal: brackets and colons stay, whatever prints them."""

from __future__ import annotations

import pytest

from hwsim.cli import output

#: As a folder or a source may be called; as styled text: an error, a colour, a link, a picture.
TEXTS = ["wrote a[/b]/results.json", "[/]", "[red]x", "[link=http://a]b", ":warning: a:x:b"]


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_is_printed_as_it_is(capsys, text):
    output.console().print(text)
    output.console().print(output.table(text, [f"{text}1"], [[f"{text}2"]]))
    output.log().print(text)
    output.warning(text)
    printed = capsys.readouterr()
    assert printed.out.startswith(f"{text}\n{text} ")
    assert f"{text}1" in printed.out
    assert f"{text}2" in printed.out
    assert printed.err == f"{text}\nwarning: {text}\n"


@pytest.mark.parametrize("text", TEXTS)
def test_what_is_under_way_is_said_as_it_is(capsys, monkeypatch, text):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    with output.working("reading") as line:
        line.update(text)
    assert f" {text}" in capsys.readouterr().err
