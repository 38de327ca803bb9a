"""Every command has an example in its help, and every option says what it is."""

from collections.abc import Iterator
from typing import Any

import pytest
import typer

from tests.cli.conftest import Ubench
from unseg_bench.cli.main import app


def commands(group: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, command in group.commands.items():
        yield (*words, name), command
        if hasattr(command, "commands"):
            yield from commands(command, (*words, name))


ALL = dict(commands(typer.main.get_command(app)))


@pytest.mark.parametrize("words", ALL)
def test_help_has_an_example_of_the_command(ubench: Ubench, words: tuple[str, ...]) -> None:
    shown = ubench(*words, "--help")
    assert shown.code == 0
    examples = shown.out.partition("Examples")[2]
    assert f"ubench {' '.join(words)}" in " ".join(examples.split())
    assert max(map(len, shown.out.splitlines())) <= 80


@pytest.mark.parametrize("words", ALL)
def test_every_option_says_what_it_is(words: tuple[str, ...]) -> None:
    assert [one.name for one in ALL[words].params if not getattr(one, "help", "")] == []


def test_no_words_mean_help(ubench: Ubench) -> None:
    shown = ubench()
    assert shown.code == 0
    assert all(words[0] in shown.out for words in ALL)
