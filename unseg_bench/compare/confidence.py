"""Confidences that methods stated: averaged over seeds, which cases they say to look at, and whether they hold."""

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from unseg_bench.compare.comparison import CaseEntry, ConfidenceRow
from unseg_bench.compare.inputs import RunScores
from unseg_bench.score.metrics import DSC

LEAST_CASES = 3
"""With two, a rank correlation is 1 or -1 whatever they are."""
Confidence = Mapping[str, Mapping[str, float]]
"""By label and case, 0 to 1."""


def mean_confidences(runs: Sequence[RunScores]) -> Confidence:
    """Return the mean confidence over the seeds that stated one, by label and case."""
    stated: dict[str, dict[str, list[float]]] = {}
    for run in runs:
        for case, value in run.confidences.items():
            stated.setdefault(run.label, {}).setdefault(case, []).append(value)
    return {label: {case: fmean(values) for case, values in own.items()} for label, own in stated.items()}


def confidence_rows(
    runs: Sequence[RunScores], confidences: Confidence, entries: Sequence[CaseEntry], *, correlate: bool
) -> tuple[ConfidenceRow, ...]:
    """Return a row for each method that stated any; `correlate`: with the rank correlation, which loads scipy."""
    levels = {run.label: run.look_below for run in runs if run.look_below is not None}
    return tuple(
        _row(label, own, levels.get(label), [entry for entry in entries if entry.label == label], correlate=correlate)
        for label, own in confidences.items()
    )


def _row(
    label: str, own: Mapping[str, float], below: float | None, entries: Sequence[CaseEntry], *, correlate: bool
) -> ConfidenceRow:
    pairs = [
        (entry.confidence, dsc)
        for entry in entries
        if entry.confidence is not None and entry.seeds and (dsc := entry.values[DSC.name]) is not None
    ]
    correlation, reason = _correlation(pairs) if correlate else (None, None)
    in_order = sorted(own, key=lambda case: (own[case], case))
    look = () if below is None else tuple(case for case in in_order if own[case] < below)
    return ConfidenceRow(label, len(own), below, look, len(pairs), correlation, reason)


def _correlation(pairs: Sequence[tuple[float, float]]) -> tuple[float | None, str | None]:
    if len(pairs) < LEAST_CASES:
        return None, f"fewer than {LEAST_CASES} cases have a confidence and a DSC"
    confidences, dscs = zip(*pairs, strict=True)
    for what, values in (("confidence", confidences), ("DSC", dscs)):
        if len(set(values)) == 1:
            return None, f"the {what} is the same in every case"
    from scipy.stats import spearmanr

    found: Any = spearmanr(confidences, dscs)
    return float(found.statistic), None
