"""`scores.csv`: one row per case. Standard library only, so that reading scores is quick."""

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path

from unseg_bench.data.atomic import write_text
from unseg_bench.data.csv_text import cell_text, csv_text
from unseg_bench.data.paths import check_case_id
from unseg_bench.data.visible import visible
from unseg_bench.errors import DataError, ScoreError
from unseg_bench.plugins.metric import is_number
from unseg_bench.score.metrics import BUILT_IN, DEFAULT
from unseg_bench.score.record import CaseScore, Flag

DIGESTS: tuple[str, ...] = ("prediction_sha256", "reference_sha256", "tumour_sha256")
"""Columns which tables of earlier versions lack."""
_VOLUMES = ("tumour_ml", "predicted_ml")
COLUMNS: tuple[str, ...] = ("case", *_VOLUMES, *BUILT_IN, "diagonal_mm", "flags", *DIGESTS)
"""Header of scores.csv, in order; the metrics of plugins come after them."""
_NEEDED = ("case", *_VOLUMES, *(metric.name for metric in DEFAULT), "diagonal_mm", "flags")
_MOST_COLUMNS = 100
NAME_COLUMN = "alternative"
"""Before them in a table of several answers."""
MOST_ROWS = 100_000
LARGEST_TABLE_BYTES = 64 << 20
"""That are read; each is a case, or one of a case's alternatives."""
_SHA256 = re.compile(r"([0-9a-f]{64})?")


def write_scores(path: Path, scores: Iterable[CaseScore]) -> None:
    """Write scores to a CSV file that appears whole or not at all; numbers read back are the same to the last bit."""
    rows = list(scores)
    columns = (*COLUMNS, *dict.fromkeys(name for score in rows for name in score.values if name not in BUILT_IN))
    write_text(path, csv_text([columns, *(_cells(score, columns) for score in rows)]))


def write_named_scores(path: Path, scores: Mapping[str, Sequence[CaseScore]]) -> None:
    """Write scores of several answers to one CSV file, whole or not at all: each answer's name before its scores."""
    rows = [[name, *_cells(score, COLUMNS)] for name, own in scores.items() for score in own]
    write_text(path, csv_text([(NAME_COLUMN, *COLUMNS), *rows]))


def read_scores(path: Path) -> list[CaseScore]:
    """Read what `write_scores` wrote, now or in an earlier version: a metric without a column has no value.

    Raises: ScoreError naming the file, the line and the cell at fault.
    """
    header, rows = _read_rows(path)
    scores = [_parse(row, header, path, line) for line, row in enumerate(rows, start=2)]
    _refuse_twice([score.case for score in scores], path)
    return scores


def read_named_scores(path: Path) -> dict[str, list[CaseScore]]:
    """Read what `write_named_scores` wrote, by name. Raises: ScoreError naming the file, the line and the cell."""
    scores: dict[str, list[CaseScore]] = {}
    header, rows = _read_rows(path, NAME_COLUMN)
    for line, row in enumerate(rows, start=2):
        scores.setdefault(visible(cell_text(row[0])) if row else "", []).append(_parse(row[1:], header, path, line))
    for own in scores.values():
        _refuse_twice([score.case for score in own], path)
    return scores


def _cells(score: CaseScore, columns: Sequence[str]) -> list[object]:
    """The cells of a score; that of a metric without a value is empty."""
    facts = score.to_dict() | {"flags": " ".join(score.flags)}
    cells = [facts.get(name) for name in columns]
    return [float(cell) if isinstance(cell, int | float) else cell for cell in cells]


def _read_rows(path: Path, *first: str) -> tuple[list[str], list[list[str]]]:
    """Return the header without the columns `first`, and the rows below it, no more than any cohort has."""
    try:
        if path.is_file() and path.stat().st_size > LARGEST_TABLE_BYTES:
            raise ScoreError(f"{path}: has more bytes than any run writes; score the run again")
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(islice(csv.reader(file), MOST_ROWS + 2))
    except FileNotFoundError:
        raise ScoreError(f"{path} does not exist: this run has not been scored yet") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ScoreError(f"{path} cannot be read as a table of scores ({error}); score the run again") from error
    header = rows[0] if rows else []
    own = header[len(first) :]
    if not _is_header(own) or header[: len(first)] != list(first):
        raise ScoreError(
            f"{path} does not have the columns {','.join((*first, *_NEEDED))}, each once and the first one first; "
            "score the run again (the same `ubench run` command does, and computes nothing else)"
        )
    if len(rows) > MOST_ROWS + 1:
        raise ScoreError(f"{path}: more than {MOST_ROWS:,} rows, which no run writes; score the run again")
    return own, rows[1:]


def _is_header(columns: list[str]) -> bool:
    """Whether these can be the columns of scores, metrics of any plugin among them."""
    once = len(set(columns)) == len(columns) <= _MOST_COLUMNS
    return once and columns[:1] == ["case"] and set(_NEEDED) <= set(columns)


def _refuse_twice(cases: list[str], path: Path) -> None:
    if len(set(cases)) != len(cases):
        twice = next(case for case in cases if cases.count(case) > 1)
        raise ScoreError(f"{path} has two rows for case {twice}; score the run again")


def _parse(row: list[str], header: list[str], path: Path, line: int) -> CaseScore:
    """One row as a CaseScore."""
    if len(row) != len(header):
        raise ScoreError(f"{path}, line {line}: {len(row)} cells where {len(header)} are expected; score the run again")
    cells = dict(zip(header, row, strict=True))
    digests = {name: cells.pop(name, "") for name in DIGESTS}
    try:
        case = check_case_id(cells.pop("case"))
        flags = tuple(Flag(word) for word in cells.pop("flags").split())
        numbers = {name: float(text) for name, text in cells.items() if text or name in _NEEDED}
    except (ValueError, DataError) as error:
        raise ScoreError(f"{path}, line {line}: {visible(str(error))}; score the run again") from None
    if not all(map(is_number, numbers.values())):
        raise ScoreError(
            f"{path}, line {line}: case {case} has a score that is not a number, or is too large; score the run again"
        )
    for name, digest in digests.items():
        if not _SHA256.fullmatch(digest):
            raise ScoreError(f"{path}, line {line}: {name} is {digest!r}, which is no SHA-256; score the run again")
    tumour_ml, predicted_ml, diagonal_mm = (numbers.pop(name) for name in (*_VOLUMES, "diagonal_mm"))
    return CaseScore(case, tumour_ml, predicted_ml, numbers, diagonal_mm, flags, **digests)
