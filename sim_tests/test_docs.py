"""The documentation: Python runs, commands parse, files, modules and links exist."""

import importlib.util
import pkgutil
import re
from pathlib import Path

import pytest
import typer
import yaml

from hwsim.cli import app

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
#: Pages whose names of files and modules are checked; the changelog also names what is gone.
NAMING = sorted([*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "benchmarks" / "README.md"])
LINKED = sorted([*NAMING, ROOT / "CHANGELOG.md"])
BLOCK = re.compile(r"(?ms)^```(\w*)\n(.*?)^```$")


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
    names = {}
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


def test_the_page_of_networks_lists_every_type_key_and_function():
    from hwsim.config import LayerConfig, NetworkConfig
    from hwsim.config.activation import FUNCTIONS

    text = (ROOT / "docs" / "networks.md").read_text()
    types = LayerConfig.model_fields["type"].annotation.__args__
    names = {*types, *LayerConfig.model_fields, *NetworkConfig.model_fields, *FUNCTIONS}
    assert not {name for name in names if f"`{name}`" not in text}


def test_the_network_of_the_page_is_one(tmp_path):
    from hwsim.config import NetworkConfig

    (text,) = blocks(ROOT / "docs" / "networks.md", "yaml")
    (tmp_path / "gated.yaml").write_text(text)
    assert len(NetworkConfig.read(tmp_path / "gated.yaml").shapes()) == 8


def test_the_page_of_the_api_is_that_of_the_docstrings():
    generator = load(ROOT / "docs" / "api.py")
    assert generator.PAGE.read_text() == generator.page(), "renew it: python docs/api.py"


def test_the_site_lists_every_page():
    def pages(entry):
        if isinstance(entry, str):
            return [entry]
        entries = entry.values() if isinstance(entry, dict) else entry
        return [page for each in entries for page in pages(each)]

    listed = pages(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"])
    docs = ROOT / "docs"
    assert sorted(listed) == sorted(str(page.relative_to(docs)) for page in docs.rglob("*.md"))


def paths(page):
    """Paths and names of Python files on a page, as patterns: NAME and <name> stand for any."""
    wings = "hwsim|rtl|models|configs|sim_tests|benchmarks|examples|docs"
    text = re.sub(r"https?://\S+", "", page.read_text())
    names = re.findall(rf"(?<![\w./-])(?:(?:{wings})/[\w.*/<>-]*|[\w/]+\.py\b)", text)
    return {re.sub(r"<\w+>|\bNAME\b", "*", path.rstrip(".-")).rstrip("/") for path in names}


@pytest.mark.parametrize("page", NAMING, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_files_that_a_page_names_exist(page):
    wings = [path for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")]
    sources = [file for wing in wings if wing.name != "build" for file in wing.rglob("*.py")]
    for path in sorted(paths(page)):
        # a page on one family may name a file without its folder
        named = any(f"/{file.as_posix()}".endswith(f"/{path}") for file in sources)
        assert named or any(ROOT.glob(path)), path


@pytest.mark.parametrize("page", NAMING, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_modules_that_a_page_names_exist(page):
    names = set(re.findall(r"(?<![\w./-])hwsim(?:\.[A-Za-z_]\w*)+", page.read_text()))
    for name in sorted(name for name in names if ".NAME" not in name):
        pkgutil.resolve_name(name)


def anchors(page):
    """Anchors of a page's headings, as GitHub and mkdocs make them."""
    titles = re.findall(r"(?m)^#+ (.*)$", re.sub(r"(?ms)^```.*?^```$", "", page.read_text()))
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", LINKED, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_links_of_a_page_resolve(page):
    text = re.sub(r"(?ms)^```.*?^```$|`[^`]*`", "", page.read_text())
    for link in re.findall(r"\]\(([^()\s]+)\)", text):
        if re.match(r"https?:", link):
            continue
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        assert target.is_file(), link
        assert not anchor or anchor in anchors(target), link
