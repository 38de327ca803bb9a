"""`scores.csv`: one row a case. Standard library only, so that reading scores is quick."""

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from itertools import islice
from pathlib import Path
from typing import Any

from unseg_bench.data.atomic import write_text
from unseg_bench.data.csv_text import cell_text, csv_text
from unseg_bench.data.paths import check_case_id
from unseg_bench.data.visible import visible
from unseg_bench.errors import DataError, ScoreError
from unseg_bench.score.record import CaseScore, Flag

COLUMNS: tuple[str, ...] = tuple(field.name for field in fields(CaseScore))
"""Header of scores.csv, in order."""
NAME_COLUMN = "alternative"
"""Before them in a table of several answers."""
MOST_ROWS = 100_000
LARGEST_TABLE_BYTES = 64 << 20
"""That are read; each is a case, or one of a case's alternatives."""
_LARGEST = 1e100
"""Of a number; sums of squares of such are far from overflow."""
DIGESTS: tuple[str, ...] = ("prediction_sha256", "reference_sha256", "tumour_sha256")
"""The last columns, which tables of earlier versions lack."""
_NUMBERS = tuple(name for name in COLUMNS if name not in {"case", "flags", *DIGESTS})
_SHA256 = re.compile(r"([0-9a-f]{64})?")


def write_scores(path: Path, scores: Iterable[CaseScore]) -> None:
    """Write scores to a CSV file that appears whole or not at all; numbers read back are the same to the last bit."""
    write_text(path, csv_text([COLUMNS, *map(_cells, scores)]))


def write_named_scores(path: Path, scores: Mapping[str, Sequence[CaseScore]]) -> None:
    """Write scores of several answers to one CSV file, whole or not at all: each answer's name before its scores."""
    rows = [[name, *_cells(score)] for name, own in scores.items() for score in own]
    write_text(path, csv_text([(NAME_COLUMN, *COLUMNS), *rows]))


def read_scores(path: Path) -> list[CaseScore]:
    """Read what `write_scores` wrote, now or in an earlier version, which kept no digests.

    Raises: ScoreError naming the file, the line and the cell at fault.
    """
    scores = [_parse(row, path, line) for line, row in enumerate(_read_rows(path, COLUMNS), start=2)]
    _refuse_twice([score.case for score in scores], path)
    return scores


def read_named_scores(path: Path) -> dict[str, list[CaseScore]]:
    """Read what `write_named_scores` wrote, by name. Raises: ScoreError naming the file, the line and the cell."""
    scores: dict[str, list[CaseScore]] = {}
    for line, row in enumerate(_read_rows(path, (NAME_COLUMN, *COLUMNS)), start=2):
        scores.setdefault(visible(cell_text(row[0])) if row else "", []).append(_parse(row[1:], path, line))
    for own in scores.values():
        _refuse_twice([score.case for score in own], path)
    return scores


def _cells(score: CaseScore) -> list[object]:
    numbers, digests = ([getattr(score, name) for name in names] for names in (_NUMBERS, DIGESTS))
    return [score.case, *map(float, numbers), " ".join(score.flags), *digests]


def _read_rows(path: Path, columns: tuple[str, ...]) -> list[list[str]]:
    """Return the rows below the header, which must have these columns, no more than any cohort has.

    The digests may lack, in all rows.
    """
    try:
        if path.is_file() and path.stat().st_size > LARGEST_TABLE_BYTES:
            raise ScoreError(f"{path}: has more bytes than any run writes; score the run again")
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(islice(csv.reader(file), MOST_ROWS + 2))
    except FileNotFoundError:
        raise ScoreError(f"{path} does not exist: this run has not been scored yet") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ScoreError(f"{path} cannot be read as a table of scores ({error}); score the run again") from error
    if rows and tuple(rows[0]) == columns[: -len(DIGESTS)]:
        return [[*row, *([""] * len(DIGESTS))] for row in rows[1:]]
    if not rows or tuple(rows[0]) != columns:
        raise ScoreError(
            f"{path} does not begin with the columns {','.join(columns)}; score the run again "
            "(the same `ubench run` command does, and computes nothing else)"
        )
    if len(rows) > MOST_ROWS + 1:
        raise ScoreError(f"{path}: more than {MOST_ROWS:,} rows, which no run writes; score the run again")
    return rows[1:]


def _refuse_twice(cases: list[str], path: Path) -> None:
    if len(set(cases)) != len(cases):
        twice = next(case for case in cases if cases.count(case) > 1)
        raise ScoreError(f"{path} has two rows for case {twice}; score the run again")


def _parse(row: list[str], path: Path, line: int) -> CaseScore:
    """One row as a CaseScore."""
    if len(row) != len(COLUMNS):
        raise ScoreError(
            f"{path}, line {line}: {len(row)} cells where {len(COLUMNS)} are expected; score the run again"
        )
    cells = dict(zip(COLUMNS, row, strict=True))
    try:
        check_case_id(cells["case"])
        numbers = {name: float(cells[name]) for name in _NUMBERS}
        flags = tuple(Flag(word) for word in cells["flags"].split())
    except (ValueError, DataError) as error:
        raise ScoreError(f"{path}, line {line}: {visible(str(error))}; score the run again") from None
    if not all(abs(number) <= _LARGEST for number in numbers.values()):
        raise ScoreError(
            f"{path}, line {line}: case {cells['case']} has a score that is not a number, or is too large; "
            "score the run again"
        )
    digests = {name: cells[name] for name in DIGESTS}
    for name, digest in digests.items():
        if not _SHA256.fullmatch(digest):
            raise ScoreError(f"{path}, line {line}: {name} is {digest!r}, which is no SHA-256; score the run again")
    values: dict[str, Any] = {"case": cells["case"], "flags": flags, **numbers, **digests}
    return CaseScore(**values)
