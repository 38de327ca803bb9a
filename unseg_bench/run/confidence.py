"""What a run's method said of how far its answers can be trusted, and which cases should be looked at for that."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from unseg_bench.data.atomic import write_text
from unseg_bench.data.csv_text import csv_text
from unseg_bench.plugins.confidence import CONFIDENCE, CONFIDENCE_COLUMNS
from unseg_bench.run.folder import RunFolder
from unseg_bench.words import count_text, first_of

if TYPE_CHECKING:
    from unseg_bench.plugins.tables import Cell


@dataclass(frozen=True, slots=True)
class Confidences:
    """The confidences of one run.

    values: case -> 0 to 1, the lowest first. parts: case -> the numbers that the value was made of, by name. below: the
    level under which the method wants a case to be looked at, None where it names none. unstated: the predicted cases
    for which nothing was stated, in the order of the run; empty where the method states none at all.
    """

    values: Mapping[str, float]
    parts: Mapping[str, Mapping[str, float]]
    below: float | None
    unstated: tuple[str, ...]

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Self:
        """Read them from the content of a run.json; a run of an earlier version has none."""
        stated: dict[str, dict[str, Any]] = record.get("confidences", {})
        failed: dict[str, str] = record.get("failed_cases", {})
        predicted = [case for case in record.get("cases", []) if case not in failed]
        below: float | None = record.get("look_below")
        known = sorted((case for case in predicted if case in stated), key=lambda case: (stated[case]["value"], case))
        unstated = tuple(case for case in predicted if case not in stated) if known or below is not None else ()
        values = {case: float(stated[case]["value"]) for case in known}
        return cls(values, {case: stated[case]["parts"] for case in known}, below, unstated)

    @property
    def look(self) -> tuple[str, ...]:
        """The cases to look at, the lowest confidence first."""
        return () if self.below is None else tuple(case for case, value in self.values.items() if value < self.below)

    def rows(self) -> "list[dict[str, Cell]]":
        """Return a row a case, the lowest confidence first and those without one last; look: None without a level."""
        look = set(self.look)
        names = sorted({name for parts in self.parts.values() for name in parts})
        case_column, value_column, look_column = CONFIDENCE_COLUMNS
        return [
            {
                case_column: case,
                value_column: self.values.get(case),
                **{name: self.parts.get(case, {}).get(name) for name in names},
                look_column: None if self.below is None or case not in self.values else case in look,
            }
            for case in (*self.values, *self.unstated)
        ]

    def sentences(self, most: int | None = None) -> list[str]:
        """Say which cases to look at, `most` of them by name (None: all), and which have no confidence."""
        cases = len(self.values) + len(self.unstated)
        said: list[str] = []
        if self.values and self.below is not None:
            said.append(look_text(self.look, len(self.values), self.below, most))
        if self.unstated:
            named = first_of(self.unstated, len(self.unstated) if most is None else most)
            said.append(f"No confidence was stated for {len(self.unstated)} of {count_text(cases, 'case')}: {named}")
        return said


def look_text(look: Sequence[str], cases: int, below: float, most: int | None = None) -> str:
    """Return 'Look at these 3 of 20 cases, whose confidence is below 0.60: a, b, c'; `most` are named (None: all)."""
    level = level_text(below)
    if not look:
        return f"No case to look at: the confidence is below {level} in none of {count_text(cases, 'case')}"
    named = first_of(look, len(look) if most is None else most)
    these = "this 1" if len(look) == 1 else f"these {len(look)}"
    return f"Look at {these} of {count_text(cases, 'case')}, whose confidence is below {level}: {named}"


def level_text(value: float) -> str:
    """Return a level with two decimals, or with more where it has them."""
    text = f"{value:.2f}"
    return text if float(text) == value else f"{value:g}"


def write_confidences(run: RunFolder) -> None:
    """Write tables/confidence.csv of what run.json has; where it has nothing there is no such table."""
    path, stated = run.own("tables", f"{CONFIDENCE}.csv"), Confidences.of(run.record)
    if stated.values:
        rows = stated.rows()
        write_text(path, csv_text([rows[0], *(row.values() for row in rows)]))
    else:
        path.unlink(missing_ok=True)
