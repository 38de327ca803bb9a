"""The options that name data, the same for every command that takes data, and what they mean together."""

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from unseg_bench.errors import SettingsError

PANEL = "Data"

DatasetName = Annotated[
    str | None,
    typer.Option(
        "--dataset",
        "-d",
        metavar="NAME",
        help="Data set (`ubench datasets`). Default: phantom, or folder where --data is given.",
        rich_help_panel=PANEL,
    ),
]
DataDir = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Folder that holds the images.", rich_help_panel=PANEL)
]
ImageGlob = Annotated[
    str | None,
    typer.Option(metavar="GLOB", help="FLAIR images below DIR; '*' or '{case}' is the case id.", rich_help_panel=PANEL),
]
ReferenceGlob = Annotated[
    str | None, typer.Option(metavar="GLOB", help="Reference masks below DIR, by the same rule.", rich_help_panel=PANEL)
]
TumourLabels = Annotated[
    str | None,
    typer.Option(
        metavar="1,2,4", help="Values in the masks that are tumour. Default: all above 0.", rich_help_panel=PANEL
    ),
]
HealthyGlob = Annotated[
    str | None, typer.Option(metavar="GLOB", help="Images known to be free of tumour.", rich_help_panel=PANEL)
]
Channel = Annotated[
    int | None, typer.Option(min=0, metavar="N", help="Channel of 4D images, from 0.", rich_help_panel=PANEL)
]
SplitText = Annotated[
    str | None,
    typer.Option(
        "--split",
        metavar="SPLIT",
        help="'7:1:2' (train:valid:test), 'all-test', or a folder with train.txt, valid.txt, test.txt.",
        rich_help_panel=PANEL,
    ),
]
AllowMissing = Annotated[
    bool | None,
    typer.Option(
        "--allow-missing",
        help="Go on without files that are not fetched, named otherwise, or missing beside others.",
        rich_help_panel=PANEL,
    ),
]
MoreOptions = Annotated[
    list[str] | None,
    typer.Option(
        "--dataset-option",
        metavar="K=V",
        help="Any other option of the data set; repeatable (`ubench datasets NAME` lists them).",
        rich_help_panel=PANEL,
    ),
]


def dataset_options(more: list[str] | None, **shortcuts: Path | str | int | bool | None) -> dict[str, Any]:
    """Return the data set's options that were given; paths are made absolute, so that run.json works from anywhere.

    Raises SettingsError for `--dataset-option` without '='.
    """
    values: dict[str, Any] = {
        name: str(_absolute(value)) if isinstance(value, Path) else value
        for name, value in shortcuts.items()
        if value is not None
    }
    split = values.get("split")
    if isinstance(split, str) and Path(split).expanduser().is_dir():
        values["split"] = str(_absolute(Path(split)))
    return values | _assignments(more or [])


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path.expanduser()))  # noqa: PTH100 - links stay as they are


def _assignments(pairs: list[str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name:
            raise SettingsError(f"--dataset-option {pair}: expected name=value, e.g. --dataset-option spacing_mm=1")
        values[name] = _value(text)
    return values


def _value(text: str) -> Any:  # noqa: ANN401 - whatever an option can hold
    """Read lists and groups as JSON and 'null' as nothing; all else stays text, for YAML would misread '*' and '7:1:2'.

    A pattern may begin as JSON does ('{case}/flair.nii.gz'). The data set's options turn text into numbers, and refuse
    what they cannot hold.
    """
    if text == "null":
        return None
    if text.startswith(("[", "{")):
        with suppress(json.JSONDecodeError):
            return json.loads(text)
    return text
