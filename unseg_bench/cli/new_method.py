"""`ubench new-method`: a method in one file, and its test, ready to be changed."""

import keyword
import re
from pathlib import Path
from string import Template
from typing import Annotated

import typer

from unseg_bench.cli.app import app, examples
from unseg_bench.console.streams import path_text, say, shell_text
from unseg_bench.errors import SettingsError

_NAME = re.compile(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*")

METHOD = Template('''"""$name: one sentence on what this method does, and where it was published."""

import numpy as np
from pydantic import Field

from unseg_bench import Context, Mask, Method, MethodOptions, Volume


class ${cls}Options(MethodOptions):
    """What can be set: `ubench run ./$module.py --set level=2`."""

    level: float = Field(1.5, description="How many standard deviations above the brain's mean a tumour begins.")


class $cls(Method[${cls}Options]):
    """Marks what is brighter than `level` standard deviations above the mean of the brain."""

    name = "$name"

    def segment(self, volume: Volume, context: Context) -> Mask:
        """Return the whole tumour of one case: `volume.image` is z-scored inside `volume.brain`."""
        return np.asarray(volume.brain & (volume.image > self.options.level))
''')

TEST = Template('''"""Tests of $name."""

from $module import $cls, ${cls}Options

from unseg_bench import check_method


def test_keeps_the_contract_of_a_method():
    failed = [result for result in check_method($cls) if not result.passed]
    assert failed == []


def test_level_is_an_option():
    assert $cls(${cls}Options(level=2.0)).options.level == 2.0
''')


@app.command(
    "new-method",
    rich_help_panel="Write a method",
    epilog=examples(
        ("ubench new-method my-method", "Writes my_method.py and test_my_method.py here."),
        ("ubench run ./my_method.py threshold", "Runs it beside another method."),
    ),
)
def new_method(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Name of the method in tables, e.g. my-method.", show_default=False)
    ],
    folder: Annotated[Path, typer.Option(metavar="DIR", help="Where to write the two files.")] = Path(),
) -> None:
    """Write a method that works, in one file, and its test; existing files are never overwritten."""
    written = write_method(name, folder)
    for path in written:
        say(f"wrote {path_text(path)}")
    path = shell_text(written[0])
    shown = path if "/" in path else f"./{path}"
    say(f"next  ubench check {shown}")
    say(f"      ubench run {shown} threshold")


def write_method(name: str, folder: Path) -> tuple[Path, Path]:
    """Write a method called `name` and its test into `folder`; returns both paths.

    Raises SettingsError for a name that cannot be a module's, and for a file that exists already.
    """
    module = name.replace("-", "_")
    if not _NAME.fullmatch(name) or keyword.iskeyword(module):
        raise SettingsError(f"'{name}' cannot name a method: small letters, digits and '-', e.g. my-method")
    paths = folder / f"{module}.py", folder / f"test_{module}.py"
    for path in paths:
        if path.exists():
            raise SettingsError(f"{path} exists already; choose another name, or another folder with --folder")
    words = {"name": name, "module": module, "cls": "".join(part.capitalize() for part in module.split("_"))}
    folder.mkdir(parents=True, exist_ok=True)
    for path, template in zip(paths, (METHOD, TEST), strict=True):
        path.write_text(template.substitute(words), encoding="utf-8")
    return paths
