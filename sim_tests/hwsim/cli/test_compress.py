"""``hwsim compress``: what it says before anything is trained."""

from __future__ import annotations

import typer
from typer.testing import CliRunner

from hwsim.cli.compress import compress
from hwsim.errors import InputError

app = typer.Typer()
app.command()(compress)


def refusal(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments))
    assert isinstance(result.exception, InputError), result.output
    return str(result.exception)


def test_without_torch_the_install_command_is_named(monkeypatch):
    monkeypatch.setattr("hwsim.system.extras.find_spec", lambda module: None)
    assert "torch: is not installed: pip install 'hwsim[compress]'" in refusal("lenet5_dense")


def test_an_unknown_recipe_lists_those_there_are(monkeypatch):
    monkeypatch.setattr("hwsim.system.extras.find_spec", lambda module: object())
    assert "lenet5_dense" in refusal("lenet9")


def test_help_shows_an_example():
    result = CliRunner().invoke(app, ["--help"])
    assert result.exit_code == 0
    assert "Example: hwsim compress lenet5_structured_10x" in result.stdout
