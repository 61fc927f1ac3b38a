"""The code blocks of the documentation: Python runs, commands parse."""

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest
import typer

from hwsim.cli import app

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
BLOCK = re.compile(r"(?ms)^```(\w*)\n(.*?)^```$")

#: What the reader of a page already has when its first block begins.
GIVEN = {
    "importers.md": lambda: {
        "np": np,
        "photos": np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), dtype=np.uint8),
    }
}


def blocks(page, language):
    return [text for name, text in BLOCK.findall(page.read_text()) if name == language]


def commands(page):
    """Command lines of hwsim on a page, in blocks and in the text, without comments and pipes."""
    inline = "\n".join(re.findall(r"`(hwsim [^`]+)`", page.read_text()))
    for text in (inline, *blocks(page, ""), *blocks(page, "sh"), *blocks(page, "bash")):
        for line in text.replace("\\\n", " ").splitlines():
            # what follows two spaces is a remark
            line = line.removeprefix("$ ").split("  ")[0]
            for part in re.split(r"[;|]|&&", line):
                words = part.split("#")[0].split()
                if words[:1] == ["hwsim"] and len(words) > 2:
                    yield words[1:]


def load(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "page", [page for page in PAGES if blocks(page, "python")], ids=lambda page: page.name
)
def test_python_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = GIVEN.get(page.name, dict)()
    for text in blocks(page, "python"):
        exec(compile(text, page.name, "exec"), names)


@pytest.mark.parametrize(
    "page", [page for page in PAGES if any(commands(page))], ids=lambda page: page.name
)
def test_commands_have_the_options_that_pages_give_them(page):
    group = typer.main.get_command(app)
    for words in commands(page):
        assert words[0] in group.commands, words
        try:
            group.commands[words[0]].make_context(words[0], words[1:])
        except Exception as error:
            # the text may name a command without all of its arguments
            if type(error).__name__ != "MissingParameter":
                raise AssertionError(words) from error


def test_the_page_of_the_api_is_that_of_the_docstrings():
    generator = load(ROOT / "docs" / "api.py")
    assert generator.PAGE.read_text() == generator.page(), "renew it: python docs/api.py"
