"""What a reader must know about the cases behind a table's numbers."""

from collections.abc import Sequence

from unseg_bench.blocks.weights_registry import shipped_entries
from unseg_bench.compare.inputs import RunScores, some_names
from unseg_bench.compare.score_table import ScoreTable
from unseg_bench.compare.settings import CompareSettings
from unseg_bench.compare.values import Scored, tumour_volumes_ml
from unseg_bench.score.record import Flag


def comparison_notes(
    runs: Sequence[RunScores], scored: Scored, table: ScoreTable, settings: CompareSettings
) -> tuple[str, ...]:
    """Sentences on cases without a tumour, missing cases, runs that found nothing, weights and empty masks."""
    notes: list[str] = []
    healthy = sum(volume == 0.0 for volume in table.tumour_ml.values())
    if healthy:
        notes.append(f"{healthy} of {len(table.cases)} cases have no tumour in the reference")
    everything = tumour_volumes_ml(scored).keys()
    lacking = {run.name: everything - {score.case for score in run.scores} for run in runs}
    notes += _missing(lacking, len(everything), len(table.cases), settings.missing)
    notes += _nothing_found(runs)
    notes += _learned_from_phantoms(runs)
    notes += _empty(table, settings.empty)
    return tuple(notes)


def _missing(lacking: dict[str, set[str]], known: int, compared: int, rule: str) -> list[str]:
    """Which runs lack cases, and what came of it."""
    words = [f"{name} lacks {len(cases)} ({some_names(cases)})" for name, cases in lacking.items() if cases]
    if not words:
        return []
    if rule == "common":
        return [f"{known - compared} of {known} cases are left out, since not every run has them: {'; '.join(words)}"]
    return [f"a missing case counts as DSC 0 and an HD95 of its grid's diagonal: {'; '.join(words)}"]


def _nothing_found(runs: Sequence[RunScores]) -> list[str]:
    """Which runs have no voxel of tumour in any prediction."""
    names = [run.name for run in runs if all(Flag.EMPTY_PREDICTION in score.flags for score in run.scores)]
    return [f"found nothing, every prediction is empty: {', '.join(names)}"] if names else []


def _learned_from_phantoms(runs: Sequence[RunScores]) -> list[str]:
    """On phantoms: which methods use weights of this package, all of which learned from such phantoms."""
    shipped = {entry.name for entry in shipped_entries()}
    labels = dict.fromkeys(run.label for run in runs if not run.evidence and shipped.intersection(run.weights))
    if not labels:
        return []
    return [f"use weights that learned from phantoms of the same generator (other seeds): {', '.join(labels)}"]


def _empty(table: ScoreTable, policy: str) -> list[str]:
    """What a policy other than the scores' own does to HD95."""
    if policy == "zero":
        return ["HD95 of a case with one empty mask counts as 0 mm, which rewards a method for finding nothing"]
    left_out = {label: sum(value is None for value in own.values()) for label, own in table.values["hd95_mm"].items()}
    words = [f"{label} {count}" for label, count in left_out.items() if count]
    if not words:
        return []
    return [
        f"HD95 leaves out cases with one empty mask ({', '.join(words)} of {len(table.cases)}): its means may be over "
        "different cases; tests are over the cases that both methods have"
    ]
