"""Which case is for training, for validation and for test."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from unseg_bench.data.paths import check_case_id
from unseg_bench.errors import DataError

Part = Literal["train", "valid", "test"]
PARTS: tuple[Part, ...] = get_args(Part)
_UNUSED = "unused"


@dataclass(frozen=True, slots=True)
class Split:
    """Case ids per part, without overlap. `name` tells two splits of one data set apart in tables."""

    name: str
    train: tuple[str, ...]
    valid: tuple[str, ...]
    test: tuple[str, ...]

    def __post_init__(self) -> None:
        seen: dict[str, str] = {}
        for part in PARTS:
            for case_id in self.part(part):
                check_case_id(case_id)
                if case_id in seen:
                    where = f"twice in '{part}'" if seen[case_id] == part else f"in both '{seen[case_id]}' and '{part}'"
                    raise DataError(f"split '{self.name}': case {case_id} is {where}; each case belongs to one part")
                seen[case_id] = part

    def part(self, part: Part) -> tuple[str, ...]:
        """Return the case ids of one part."""
        return {"train": self.train, "valid": self.valid, "test": self.test}[part]

    @property
    def case_ids(self) -> tuple[str, ...]:
        """All case ids, training first."""
        return self.train + self.valid + self.test


def split_all_test(case_ids: Iterable[str]) -> Split:
    """Put every case into the test part: for methods that need no training data."""
    return Split("all-test", (), (), tuple(case_ids))


def split_by_ratio(
    case_ids: Sequence[str], ratios: tuple[float, float, float], seed: int, patients: Mapping[str, str] | None = None
) -> Split:
    """Shuffle the sorted patients by `seed` and cut them by `ratios` (train, valid, test; any positive scale).

    `patients`: case id -> patient, for a patient with several cases; the others are their own.
    """
    if min(ratios) < 0 or sum(ratios) <= 0:
        raise DataError(f"split ratios {ratios} must not be negative and not all zero, e.g. 7:1:2")
    cases: dict[str, list[str]] = {}
    for case_id in case_ids:
        cases.setdefault((patients or {}).get(case_id, case_id), []).append(case_id)
    order = [sorted(cases)[i] for i in np.random.default_rng(seed).permutation(len(cases))]
    edges = np.round(np.cumsum(ratios) / sum(ratios) * len(order)).astype(int)
    parts = order[: edges[0]], order[edges[0] : edges[1]], order[edges[1] :]
    name = "ratio-" + "-".join(f"{ratio:g}" for ratio in ratios) + f"-seed{seed}"
    return Split(name, *(tuple(sorted(case_id for patient in part for case_id in cases[patient])) for part in parts))


def split_from_files(
    folder: Path, name: str, known: Iterable[str] | None = None, patients: Mapping[str, str] | None = None
) -> Split:
    """Read `train.txt`, `valid.txt` and `test.txt` (one id a line, in any order; a missing file is an empty part).

    `known`: the ids that exist. Each belongs to one part, or to `unused.txt`. Raises DataError for an id that does not
    exist or is left out, for a patient (`patients`: case id -> patient) in two parts, or when there is no test.txt.
    """
    if not (folder / "test.txt").is_file():
        raise DataError(f"{folder}: no test.txt; a split is a folder with train.txt, valid.txt and test.txt")
    parts = {part: _read_ids(folder / f"{part}.txt") for part in (*PARTS, _UNUSED)}
    split = Split(name, parts["train"], parts["valid"], parts["test"])
    if known is not None:
        _compare_ids(folder, parts, set(known))
    _refuse_parted_patients(folder, split, patients or {})
    return split


def _refuse_parted_patients(folder: Path, split: Split, patients: Mapping[str, str]) -> None:
    seen: dict[str, tuple[str, str]] = {}
    for part in PARTS:
        for case_id in split.part(part):
            other, elsewhere = seen.setdefault(patients.get(case_id, case_id), (case_id, part))
            if elsewhere != part:
                raise DataError(
                    f"{folder}: {other} ({elsewhere}.txt) and {case_id} ({part}.txt) are of one patient, "
                    f"{patients[case_id]}; put all sessions of a patient into one part"
                )


def _compare_ids(folder: Path, parts: Mapping[str, tuple[str, ...]], known: set[str]) -> None:
    for part, ids in parts.items():
        if unknown := [case_id for case_id in ids if case_id not in known]:
            raise DataError(
                f"{folder / part}.txt names case {_first(unknown)}, which the data set does not have; mend the line"
            )
    if missed := sorted(known.difference(*parts.values())):
        raise DataError(
            f"{folder}: case {_first(missed)} of the data set is in no part; add it to train.txt, valid.txt or "
            f"test.txt, or to {_UNUSED}.txt when it is left out on purpose"
        )


def _first(ids: Sequence[str]) -> str:
    return repr(ids[0]) + (f" and {len(ids) - 1} more" if len(ids) > 1 else "")


def _read_ids(path: Path) -> tuple[str, ...]:
    """Return the ids of a file, sorted: the order of its lines changes no result."""
    if not path.is_file():
        return ()
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise DataError(f"{path}: not a text file in UTF-8; write one case id a line") from None
    return tuple(sorted(line.strip() for line in lines if line.strip()))
