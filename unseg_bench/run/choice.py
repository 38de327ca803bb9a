"""Which of a method's runs stands for it where only the method is named: with the preset's own options, on all cases.

A sweep, a smoke test (`--limit`) or a run that lacks cases does not take its place.
"""

from collections.abc import Mapping
from enum import IntEnum
from typing import Any

from unseg_bench.plugins.digests import digest_of
from unseg_bench.run.folder import SCORED


def data_of(record: Mapping[str, Any]) -> str:
    """Return a digest of the data set, its split and part: only runs that share it belong in one table."""
    return digest_of([record["dataset"], record.get("dataset_identity"), record["split"], record["part"]])


def limit_of(record: Mapping[str, Any]) -> int | None:
    """Return how many of the part's cases were asked for, None for all."""
    return record.get("settings", {}).get("limit")


def is_usual(record: Mapping[str, Any]) -> bool:
    """Whether the run is what a plain `ubench run METHOD` makes; yes where the record is too old to tell."""
    differs = record.get("differs", {})
    return not differs.get("preset") and not differs.get("options")


def is_scored(record: Mapping[str, Any]) -> bool:
    """Whether the run has scores, of all of its cases or of some."""
    return record.get("state") in SCORED


def lacking_cases(record: Mapping[str, Any]) -> list[str]:
    """Return the cases that the run was to do and has no score of, but for those that have no reference."""
    lacking = dict.fromkeys([*record.get("missing_cases", []), *record.get("failed_cases", {})])
    return [case for case in lacking if case not in record.get("without_reference", [])]


def planned_cases(record: Mapping[str, Any]) -> list[str]:
    """Return the cases that the run was to have scores of."""
    cases = dict.fromkeys([*record["cases"], *lacking_cases(record)])
    return [case for case in cases if case not in record.get("without_reference", [])]


class Standing(IntEnum):
    """How well a run stands for its method on its data, from the best."""

    WHOLE = 0
    """The preset's own options, scores of all cases."""
    LACKING = 1
    """Those options, some cases without a score."""
    OTHER = 2
    """Other options."""
    OTHER_LACKING = 3
    LIMITED = 4
    """The first cases of the part only (`--limit`)."""
    UNSCORED = 5


def standing(record: Mapping[str, Any]) -> Standing:
    """Return how well a run stands for its method."""
    if not is_scored(record):
        return Standing.UNSCORED
    if limit_of(record) is not None:
        return Standing.LIMITED
    if lacking_cases(record):
        return Standing.LACKING if is_usual(record) else Standing.OTHER_LACKING
    return Standing.WHOLE if is_usual(record) else Standing.OTHER
