"""What was asked for, in a call or on a command line, and a settings file below it: the settings of a call."""

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from unseg_bench.errors import SettingsError
from unseg_bench.run.settings import RunSettings, make_settings, read_settings_file, short
from unseg_bench.run.values import read_values

DATA_MEANS = "folder"
"""The data set that `data` means when no other is named."""
IMAGES = (".nii", ".nii.gz")
"""Endings of files that a shell may have put in the place of a pattern."""


def settings_of(
    methods: Sequence[str],
    *,
    config: Path | None = None,
    dataset_options: Mapping[str, Any],
    set: Mapping[str, Any],  # noqa: A002 - the name that settings files use
    **given: Any,  # noqa: ANN401 - values of several types, checked by make_settings
) -> RunSettings:
    """Return the checked settings: the file's, and over them what was given (None: not given).

    Options of the file's data set are dropped when another data set is named. Raises SettingsError.
    """
    values = {} if config is None else read_settings_file(config)
    chosen = {name: value for name, value in given.items() if value is not None}
    if methods:
        chosen["methods"] = tuple(methods)
    if "dataset" not in chosen and "dataset" not in values and "data" in dataset_options:
        chosen["dataset"] = DATA_MEANS
    same_data = chosen.get("dataset", values.get("dataset")) == values.get("dataset")
    kept = values.get("dataset_options", {}) if same_data else {}
    merged = {**values, **chosen, "dataset_options": {**kept, **dataset_options}}
    merged["set"] = {**values.get("set", {}), **set}
    if images := [name for name in chosen.get("methods", ()) if str(name).endswith(IMAGES)]:
        raise SettingsError(
            f"{images[0]}: is an image and no method; the shell puts file names in the place of a pattern that has no "
            "quotes: --image '*/flair.nii.gz'"
        )
    if not merged.get("methods"):
        raise SettingsError("no method: name one, e.g. `ubench run clisc`; `ubench methods` lists them")
    return make_settings(merged)


def parse_seeds(text: str) -> tuple[int, ...]:
    """Turn '0,1,2' into numbers, each once; raises SettingsError."""
    try:
        seeds = tuple(int(part) for part in text.split(","))
    except ValueError:
        raise SettingsError(f"--seed {text}: expected whole numbers with commas, e.g. --seed 0,1,2") from None
    if min(seeds) < 0:
        raise SettingsError(f"--seed {text}: seeds are 0 or above")
    return tuple(dict.fromkeys(seeds))


def parse_assignments(assignments: Sequence[str]) -> dict[str, Any]:
    """Turn `["amda.alpha=30", "clip.captions=[...]"]` into names and values; values are read as YAML."""
    values: dict[str, Any] = {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals or not name.strip():
            raise SettingsError(f"--set {assignment}: expected name=value, e.g. --set amda.alpha=30")
        try:
            values[name.strip()] = read_values(text) if text.strip() else ""
        except ValueError as error:
            raise SettingsError(f"--set {name}: the value {short(text)!r} is not readable: {error}") from error
    return values


def data_options(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a data set that were given (None: not given); paths are absolute ones.

    So run.json works from anywhere.
    """
    values = {
        name: str(_absolute(value)) if isinstance(value, Path) else value
        for name, value in given.items()
        if value is not None
    }
    split = values.get("split")
    if isinstance(split, str) and Path(split).expanduser().is_dir():
        values["split"] = str(_absolute(Path(split)))
    return values


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path.expanduser()))  # noqa: PTH100 - links stay as they are


def assigned_to_data(pairs: Sequence[str]) -> dict[str, Any]:
    """Turn what stands behind `--dataset-option` into names and values; raises SettingsError where '=' is missing."""
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
