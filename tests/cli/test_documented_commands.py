"""Every command that README, guides and help texts show is one that can be given."""

import itertools
import shlex
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Ubench
from tests.cli.documented import GROUP, shown_commands
from tests.robustness.received import RECORD, write_received
from unseg_bench.plugins.manager import is_file, load_plugins
from unseg_bench.plugins.method import Method
from unseg_bench.run.settings import make_dataset, option_names

COMMANDS = shown_commands()
UNREAL = {
    "ubench COMMAND --help": "COMMAND stands for any of them",
    "ubench --help": "is no command",
}
"""Not parsed, and why."""
NEEDS_TIME = {"run", "ablate", "sweep", "reproduce", "check", "report", "figures"}
"""Commands that compute or draw: their words, names and options are checked, and their own tests run them."""
NEEDS = {
    "--case": "opens images of a data set",
    "--stats": "computes statistics for seconds",
    "download": "fetches files",
    "./": "takes a file that its guide writes out, whose own test runs it",
    "DIR": "opens a folder of images",
    "NAME": "stands for any name",
    "score": "opens masks",
    "--output": "opens maps",
    "audit METHOD": "runs a method twice",
    "audit threshold": "runs a method twice",
    "volume_error": "names a metric of a plugin, which its guide's own test installs",
    "cohort.csv": "opens a cohort's own table",
    "clean": "asks, or empties the cache",
}
"""What a command with these words would need here: such a one is parsed, and not run."""
STAND_INS = {"RUN": "threshold-demo-seed0-1a2b3c4d", "METHOD": "threshold"}


def words_of(command: str) -> list[str]:
    return [word for word in shlex.split(command)[1:] if word not in {"...", "…"}]


def is_mention(words: list[str]) -> bool:
    """Whether running text only names a command or its option: `ubench score --allow-missing`."""
    return all(word.startswith("-") for word in words[1:])


@pytest.mark.parametrize(("where", "command"), [one for one in COMMANDS if one[1] not in UNREAL])
def test_its_words_are_understood(where: str, command: str) -> None:
    context: Any = GROUP.make_context("ubench", words_of(command)[:1])
    name, rest = words_of(command)[0], words_of(command)[1:]
    found = GROUP.get_command(context, name)
    assert found is not None, f"{where}: no command '{name}'"
    while hasattr(found, "commands") and rest and rest[0] in found.commands:
        found, rest = found.commands[rest[0]], rest[1:]
    if is_mention(words_of(command)):
        assert set(rest) <= {option for parameter in found.params for option in parameter.opts} | {"--help"}
    elif "RUN" not in rest[:1]:
        found.make_context(name, rest, parent=context)


@pytest.mark.parametrize(("where", "command"), [one for one in COMMANDS if "--case phantom-" in one[1]])
def test_a_case_that_it_names_is_one_of_the_default_cohort(where: str, command: str) -> None:
    (case,) = _after(words_of(command), "--case")
    split = make_dataset(load_plugins().dataset("phantom"), {}).split()
    assert case in split.test, where


def _after(words: list[str], *options: str) -> list[str]:
    return [word for before, word in itertools.pairwise(words) if before in options]


def _method(words: list[str]) -> type[Method] | None:
    return load_plugins().methods.get(words[1]) if len(words) > 1 and not is_file(words[1]) else None


@pytest.mark.parametrize(("where", "command"), [one for one in COMMANDS if words_of(one[1])[0] in NEEDS_TIME])
def test_what_it_names_is_there(where: str, command: str) -> None:
    """Methods, presets, studies, recipes, data sets and options of methods; the files of guides are not there."""
    words, plugins = words_of(command), load_plugins()
    for dataset in _after(words, "-d", "--dataset"):
        plugins.dataset(dataset)
    if words[0] == "reproduce":
        plugins.recipe(words[1])
    method = _method(words)
    if words[0] in {"run", "ablate", "sweep"} and len(words) > 1 and not words[1].startswith(("-", "./", "METHOD")):
        assert method is not None, f"{where}: no method '{words[1]}'"
    if method is None:
        return
    for preset in _after(words, "--preset"):
        assert preset in method.presets
    for study in _after(words, "--study"):
        assert study in method.studies, f"{where}: {method.name} has no study '{study}'"
    for assignment in _after(words, "--set", "--over"):
        assert assignment.partition("=")[0] in option_names(method.Options), f"{where}: {command}"


def test_those_that_show_runs_run(ubench: Ubench) -> None:
    """Beside runs of the methods that the commands name."""
    for place, method in enumerate(("clisc", "threshold", "amcons", "told", "outlier", "sure")):
        record = RECORD | {"method": method, "started": f"2026-01-02T00:00:0{place}+00:00", "preset": "demo"}
        folder = write_received(Path(f"runs/phantom/{method}-demo-seed0-1a2b3c4d"), record | {"dataset": "phantom"})
        table = {"told": "levels.csv", "sure": "confidence.csv"}.get(method, "s3f.csv")
        (folder / "tables" / "levels.csv").rename(folder / "tables" / table)
        for name in ("predictions", "maps"):
            (folder / name).rmdir()
    elsewhere = RECORD | {"method": "clisc", "dataset": "brats2020", "started": "2026-01-01T00:00:00+00:00"}
    write_received(Path("runs/brats2020/clisc-paper-seed0-1a2b3c4d"), elsewhere)
    ran: list[str] = []
    for where, command in COMMANDS:
        words = words_of(command)
        skipped = command in UNREAL or words[0] in NEEDS_TIME or any(need in command for need in NEEDS)
        if skipped or is_mention(words) or command in ran or "-*" in command:
            continue
        ran.append(command)
        done = ubench(*[STAND_INS.get(word, word) for word in words])
        assert done.code == 0, f"{where}: {command}\n{done.err}"
    assert len(ran) > 20
