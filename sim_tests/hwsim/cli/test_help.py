"""Help at 80 columns: paragraphs are wrapped by the terminal, not by the source."""

from itertools import pairwise

import pytest
from typer.testing import CliRunner

from hwsim.cli import app
from hwsim.verification.run import STEP_LIMIT

COMMANDS = ["", *(command.name or command.callback.__name__ for command in app.registered_commands)]
#: One column is left free on each side.
WIDTH = 78


def text(monkeypatch, command):
    """Lines of help between the usage and the first box."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERMINAL_WIDTH", "80")
    done = CliRunner().invoke(app, [*command.split(), "--help"])
    assert done.exit_code == 0
    lines = [line.rstrip() for line in done.stdout.splitlines()]
    start = next(index for index, line in enumerate(lines) if line.startswith(" Usage:"))
    end = next(index for index, line in enumerate(lines) if line.startswith("╭"))
    return [line[1:] for line in lines[start + 1 : end]]


@pytest.mark.parametrize("command", COMMANDS)
def test_no_line_of_a_paragraph_is_broken_early(monkeypatch, command):
    lines = text(monkeypatch, command)
    assert any(lines)
    for line, following in pairwise(lines):
        assert len(line) <= WIDTH
        if line and following:
            word = following.split()[0]
            assert len(line) + 1 + len(word) > WIDTH, f"{line!r} is followed by {word!r}"


@pytest.mark.parametrize("command", COMMANDS)
def test_paragraphs_stay_apart(monkeypatch, command):
    lines = text(monkeypatch, command)
    example = next(index for index, line in enumerate(lines) if line.startswith("Example: hwsim"))
    assert lines[example - 1] == ""


def test_verify_says_where_the_fast_form_stands_in(monkeypatch):
    assert STEP_LIMIT == 20_000
    words = " ".join(" ".join(text(monkeypatch, "verify")).split())
    assert "above 20,000 cycles, without pauses, the fast form stands in for it" in words
