"""The thresholds that a run's method found: where they lie, what each earns, and the curve that they lie on."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unseg_bench.data.visible import visible
from unseg_bench.errors import DataError, ScoreError
from unseg_bench.plugins.tables import Cell
from unseg_bench.run.folder import RunFolder
from unseg_bench.run.tables import read_table, read_tables
from unseg_bench.score.alternatives import read_alternatives
from unseg_bench.score.record import CaseScore, default_means
from unseg_bench.score.table import read_scores

if TYPE_CHECKING:
    from unseg_bench.plugins.dataset import Dataset
    from unseg_bench.score.curve import DiceCurve

TABLE = "thresholds"
"""The table that `unseg_bench.blocks.thresholds` writes."""
_COLUMNS = {"name", "value", "chosen", "labels", "normal_share"}
_SAME_DSC = 5e-4


@dataclass(frozen=True, slots=True)
class ThresholdRow:
    """One threshold: `value` (None: each case has its own), whether it answered, whether it was found with labels.

    normal_share: of held-out normal tissue that lies above it. dsc (0-1) and hd95_mm: means over `cases` cases, None
    where its masks were not handed over.
    """

    name: str
    value: float | None
    chosen: bool
    labels: bool
    normal_share: float | None
    cases: int
    dsc: float | None
    hd95_mm: float | None


@dataclass(frozen=True, slots=True)
class RunThresholds:
    """All thresholds of a run, and the curve of its kept maps (None: not kept, or not asked for)."""

    run: Path
    record: dict[str, Any]
    rows: tuple[ThresholdRow, ...]
    curve: "DiceCurve | None" = None

    @property
    def notes(self) -> tuple[str, ...]:
        """What must be said of the numbers."""
        notes = ["a threshold found with labels saw reference masks, a label-free one did not"]
        if self.curve is None:
            return tuple(notes)
        notes.append(
            "the curve's maximum is an oracle: it is chosen with the references of the very cases that it is scored "
            "on, so no method could know it"
        )
        if apart := [row.name for row in self.rows if self._off_the_curve(row)]:
            notes.append(
                f"the masks of {', '.join(apart)} are not the map cut at the threshold alone (their DSC is off the "
                "curve): the method works on them after the cut, or they are of other cases"
            )
        return tuple(notes)

    def _off_the_curve(self, row: ThresholdRow) -> bool:
        if self.curve is None or row.value is None or row.dsc is None:
            return False
        return abs(self.curve.at(row.value) - row.dsc) > _SAME_DSC


def read_thresholds(run: RunFolder) -> RunThresholds:
    """Read a scored run's thresholds and what they earned; no image is opened.

    Raises DataError where its method found none or wrote another table; ScoreError where it is not scored.
    """
    if all(table.name != TABLE for table in read_tables(run)):
        raise DataError(
            f"{run.path}: '{run.record.get('method')}' found no thresholds (the run has no table '{TABLE}'); this is "
            "for methods that cut a map"
        )
    records = read_table(run, TABLE).records()
    own, others = read_scores(run.scores), read_alternatives(run)
    rows: list[ThresholdRow] = []
    for record in records:
        if not record.keys() >= _COLUMNS:
            raise DataError(f"{run.path}: table '{TABLE}' lacks {', '.join(sorted(_COLUMNS - record.keys()))}")
        scores = own if record["chosen"] is True else others.get(str(record["name"]), [])
        rows.append(_row(record, scores))
    return RunThresholds(run.path, run.record, tuple(rows))


def with_curve(found: RunThresholds, dataset: "Dataset") -> RunThresholds:
    """Return the same with its curve; opens the kept maps, and the references of the run's data set.

    Raises ScoreError saying how to get maps where the run has kept none, or not of every scored case.
    """
    from unseg_bench.data.paths import cache_dir
    from unseg_bench.data.store import PreparedStore
    from unseg_bench.score.curve import dice_curve, kept_maps

    run = RunFolder(found.run)
    cases = [score.case for score in read_scores(run.scores)]
    if lacking := [case for case in cases if not run.map_file(case).is_file()]:
        raise ScoreError(f"{run.path}: {len(lacking)} of {len(cases)} scored cases have no map; {how_to_keep(run)}")
    values = [row.value for row in found.rows if row.value is not None]
    curve = dice_curve(cases, kept_maps(run, dataset, PreparedStore(cache_dir() / "prepared")), values)
    return RunThresholds(found.run, found.record, found.rows, curve)


def has_maps(run: RunFolder) -> bool:
    """Whether the run has kept any maps."""
    return any((run.path / "maps").glob("*.nii.gz"))


def how_to_keep(run: RunFolder) -> str:
    """Say how a run gets maps."""
    written = next(iter(run.record.get("settings", {}).get("methods", [])), "METHOD")
    return f"the same `ubench run {written} ...` with --keep-maps makes them"


def _row(record: dict[str, Cell], scores: Sequence[CaseScore]) -> ThresholdRow:
    return ThresholdRow(
        name=visible(str(record["name"])),
        value=_number(record["value"]),
        chosen=record["chosen"] is True,
        labels=record["labels"] is True,
        normal_share=_number(record["normal_share"]),
        cases=len(scores),
        **default_means(scores),
    )


def _number(value: Cell) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
