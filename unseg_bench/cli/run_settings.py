"""From what the user typed, and a settings file, to the settings of a call."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from unseg_bench.errors import SettingsError
from unseg_bench.run.settings import RunSettings, make_settings, parse_assignments, read_settings_file

DATA_MEANS = "folder"
"""The data set that `--data DIR` means when no other is named."""
IMAGES = (".nii", ".nii.gz")
"""Endings of files that a shell may have put in the place of a pattern."""


def settings_of(
    config: Path | None,
    *,
    dataset_options: Mapping[str, Any],
    assignments: Sequence[str],
    seed: str | None,
    **given: Any,  # noqa: ANN401 - values of several types, checked by make_settings
) -> RunSettings:
    """Return the checked settings: the file's, and over them what was given (None: not given).

    Options of the file's data set are dropped when another data set is named. Raises SettingsError.
    """
    values = {} if config is None else read_settings_file(config)
    chosen = {name: value for name, value in given.items() if value is not None}
    if "dataset" not in chosen and "dataset" not in values and "data" in dataset_options:
        chosen["dataset"] = DATA_MEANS
    same_data = chosen.get("dataset", values.get("dataset")) == values.get("dataset")
    kept = values.get("dataset_options", {}) if same_data else {}
    merged = {**values, **chosen}
    if kept or dataset_options:
        merged["dataset_options"] = {**kept, **dataset_options}
    else:
        merged.pop("dataset_options", None)
    if assignments:
        merged["set"] = {**values.get("set", {}), **parse_assignments(assignments)}
    if seed is not None:
        merged["seeds"] = _seeds(seed)
    if images := [name for name in chosen.get("methods", ()) if str(name).endswith(IMAGES)]:
        raise SettingsError(
            f"{images[0]}: is an image and no method; the shell puts file names in the place of a pattern that has no "
            "quotes: --image '*/flair.nii.gz'"
        )
    if not merged.get("methods"):
        raise SettingsError("no method: name one, e.g. `ubench run clisc`; `ubench methods` lists them")
    return make_settings(merged)


def _seeds(text: str) -> tuple[int, ...]:
    try:
        seeds = tuple(int(part) for part in text.split(","))
    except ValueError:
        raise SettingsError(f"--seed {text}: expected whole numbers with commas, e.g. --seed 0,1,2") from None
    if min(seeds) < 0:
        raise SettingsError(f"--seed {text}: seeds are 0 or above")
    return tuple(dict.fromkeys(seeds))
