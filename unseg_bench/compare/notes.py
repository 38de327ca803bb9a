"""What a reader must know about the cases behind a table's numbers."""

from collections.abc import Sequence

from unseg_bench.blocks.weights_registry import shipped_entries
from unseg_bench.compare.inputs import RunScores
from unseg_bench.compare.settings import CompareSettings
from unseg_bench.compare.values import ScoreTable
from unseg_bench.plugins.metric import Metric
from unseg_bench.score.metrics import SCORE_AGAIN
from unseg_bench.score.record import Flag
from unseg_bench.words import count_text, first_of


def comparison_notes(runs: Sequence[RunScores], table: ScoreTable, settings: CompareSettings) -> tuple[str, ...]:
    """Sentences on cases without a tumour, missing cases, runs that failed or found nothing, weights, empty masks."""
    notes: list[str] = []
    healthy = sum(volume == 0.0 for volume in table.tumour_ml.values())
    if healthy:
        notes.append(f"{healthy} of {len(table.cases)} cases have no tumour in the reference")
    notes += [f"no scores, so no means: {run.name}: {run.failure}" for run in runs if run.failure is not None]
    scored = [run for run in runs if run.failure is None]
    notes += _missing(runs, table, settings.missing)
    notes += _limited(scored)
    notes += _without_reference(scored)
    notes += _not_as_scored(scored)
    notes += _other_images(scored)
    notes += _unmeasured(scored, table.metrics)
    notes += _nothing_found(scored)
    notes += _learned_from_phantoms(scored)
    notes += _empty(table, settings.empty)
    return tuple(notes)


def _other_images(runs: Sequence[RunScores]) -> list[str]:
    """Which runs saw other images under the ids of the first run that saw a case."""
    known: dict[str, tuple[RunScores, str]] = {}
    found: dict[tuple[str, str], list[str]] = {}
    for run in runs:
        for case in (score.case for score in run.scores if score.case in run.images):
            first, digest = known.setdefault(case, (run, run.images[case]))
            if run.images[case] != digest:
                found.setdefault((first.name, run.name), []).append(case)
    return [
        f"{first} and {other} were made from different images of {count_text(len(cases), 'case')} "
        f"({first_of(sorted(cases))}); run both again on the same images"
        for (first, other), cases in found.items()
    ]


def _missing(runs: Sequence[RunScores], table: ScoreTable, rule: str) -> list[str]:
    """Which runs lack cases, and what came of it."""
    planned = set[str]().union(*(run.planned for run in runs))
    lacking = {
        run.name: planned.difference(score.case for score in run.scores)
        for run in runs
        if run.failure is None or (rule == "worst" and run.label in table.labels)
    }
    words = [f"{name} lacks {len(cases)} ({first_of(sorted(cases))})" for name, cases in lacking.items() if cases]
    if not words:
        return []
    said = "; ".join(words)
    if rule == "worst":
        unknown = len(table.cases) - len(table.tumour_ml)
        more = f"; the reference of {unknown} is not known here: in no size group, and the largest diagonal" * (
            unknown > 0
        )
        return [f"a missing case counts as DSC 0 and an HD95 of its grid's diagonal: {said}{more}"]
    left = len(planned) - len(table.cases)
    if rule == "common":
        return [f"{left} of {len(planned)} cases are left out, since not every run has them: {said}"]
    return [
        f"{left} of {len(planned)} cases are in no mean, since no run has them: {said}; --missing worst counts them"
    ]


def _limited(runs: Sequence[RunScores]) -> list[str]:
    """Which runs were asked for the first cases of the part only."""
    names = [f"{run.name} {run.limit}" for run in runs if run.limit is not None]
    return [f"asked for the first cases of the part only (--limit): {', '.join(names)}"] if names else []


def _without_reference(runs: Sequence[RunScores]) -> list[str]:
    """Which runs predicted cases that have no reference."""
    words = [f"{run.name} {len(bare)} ({first_of(sorted(bare))})" for run in runs if (bare := run.without_reference)]
    return [f"predicted but in no mean, since there is no reference: {'; '.join(words)}"] if words else []


def _not_as_scored(runs: Sequence[RunScores]) -> list[str]:
    """Which runs' scores may not be those of their files; one sentence for all that have the same."""
    names: dict[str, list[str]] = {}
    for run in runs:
        for doubt in run.doubts:
            names.setdefault(doubt, []).append(run.name)
    return [f"{', '.join(own)}: {doubt}" for doubt, own in names.items()]


def _unmeasured(runs: Sequence[RunScores], metrics: Sequence[Metric]) -> list[str]:
    """Say which runs have no values of a metric, such as those scored before its plugin was there."""
    notes: list[str] = []
    for metric in metrics:
        names = [run.name for run in runs if any(metric.name not in score.values for score in run.scores)]
        if names:
            notes.append(f"no {metric.title} in the scores of {', '.join(names)}: {SCORE_AGAIN}")
    return notes


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
    values = table.values["hd95_mm"]
    left_out = {label: sum(value is None for value in values[label].values()) for label in table.labels}
    words = [f"{label} {count}" for label, count in left_out.items() if count]
    if not words:
        return []
    return [
        f"HD95 leaves out cases with one empty mask ({', '.join(words)} of {len(table.cases)}): its means may be over "
        "different cases; tests are over the cases that both methods have"
    ]
