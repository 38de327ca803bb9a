"""Plugins add commands of their own; one that fails does not stop the built-in ones."""

from types import ModuleType

import pytest
import typer

from tests.cli.conftest import Ubench
from unseg_bench.cli import app as app_module
from unseg_bench.cli.app import UbenchGroup
from unseg_bench.plugins.hookspecs import hookimpl
from unseg_bench.plugins.manager import Plugins


def plugin(*, fails: bool) -> Plugins:
    @hookimpl
    def ubench_commands(app: typer.Typer) -> None:
        if fails:
            raise ValueError("no commands today")

        @app.command()
        def hello(name: str) -> None:
            """Greet."""
            typer.echo(f"hello {name}")

    module = ModuleType("stranger")
    module.ubench_commands = ubench_commands
    plugins = Plugins()
    plugins._manager.register(module)
    return plugins


@pytest.fixture(autouse=True)
def _fresh_group(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(UbenchGroup, "_plugins_asked", False)


def test_a_plugin_s_command_runs_and_is_listed(ubench: Ubench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unseg_bench.plugins.manager.load_plugins", lambda: plugin(fails=False))
    assert ubench("hello", "you").out == "hello you\n"
    assert "Greet." not in ubench("--help").out
    monkeypatch.setattr(app_module, "_strangers_installed", lambda: True)
    assert "Greet." in ubench("--help").out


def test_a_failing_plugin_is_told_and_the_rest_goes_on(ubench: Ubench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unseg_bench.plugins.manager.load_plugins", lambda: plugin(fails=True))
    monkeypatch.setattr(app_module, "_strangers_installed", lambda: True)
    shown = ubench("--help")
    assert shown.code == 0
    assert "compare" in shown.out
    assert shown.err == "Warning: a plugin could not add its commands: ValueError: no commands today\n"
