"""One comparison: rows are methods, columns DSC and HD95 overall and DSC by tumour size, every mark already decided."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

SCHEMA = "unseg-bench/comparison/1"
"""Name and version of the JSON form; the number changes when a field changes its meaning or goes."""

Metric = Literal["dsc", "hd95_mm"]


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the table; `group` is a size group's name, or None for all cases; low_ml to high_ml."""

    key: str
    metric: Metric
    group: str | None
    higher_is_better: bool
    n: int
    low_ml: float
    high_ml: float
    few: bool


@dataclass(frozen=True, slots=True)
class Cell:
    """Mean and population standard deviation (ddof 0) over cases, DSC 0-1 or mm; sd is None for a single case."""

    mean: float
    sd: float | None
    n: int


@dataclass(frozen=True, slots=True)
class MethodRow:
    """One method: its cells by column key, and what was measured about it.

    seeds: averaged within each case; dsc_seed_sd: spread of the seeds' mean DSC (ddof 0), None for one seed;
    empty_predictions: over all seeds; below_floor: mean DSC is below that of the best floor.
    """

    method: str
    label: str
    label_free: str
    is_floor: bool
    below_floor: bool
    seeds: tuple[int, ...]
    dsc_seed_sd: float | None
    empty_predictions: int
    cells: dict[str, Cell]


@dataclass(frozen=True, slots=True)
class ColumnTest:
    """Best against second best of a column by the paired t-test; labels are None where there is no such row.

    t, p: None where `reason` says why; significant: p below the comparison's alpha, uncorrected.
    tied: the two means are equal, so that which is called best says nothing.
    """

    column: str
    best: str
    second: str | None
    tied: bool
    t: float | None
    p: float | None
    reason: str | None
    significant: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """Everything a table shows; `to_json` is its lasting form."""

    dataset: str
    split: str
    part: str
    evidence: bool
    scoring_rules: Mapping[str, str | float]
    cases: tuple[str, ...]
    alpha: float
    floor: str | None
    columns: tuple[Column, ...]
    rows: tuple[MethodRow, ...]
    tests: tuple[ColumnTest, ...]
    notes: tuple[str, ...]

    def test(self, column: str) -> ColumnTest:
        """The test of a column. Raises: KeyError for a column that is not there."""
        return {test.column: test for test in self.tests}[column]

    def to_dict(self) -> dict[str, Any]:
        """Plain dicts and lists; the first entry names the schema."""
        return {"schema": SCHEMA, **asdict(self)}

    def to_json(self) -> str:
        """JSON text; numbers keep every digit, an undefined number is null."""
        return json.dumps(self.to_dict(), indent=2, allow_nan=False) + "\n"
