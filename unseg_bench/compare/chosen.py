"""The metrics that runs are compared by: DSC and HD95 always, others where they are asked for."""

from collections.abc import Sequence

from unseg_bench.compare.inputs import RunScores
from unseg_bench.errors import ScoreError, SettingsError
from unseg_bench.plugins.metric import Metric
from unseg_bench.score.metrics import DEFAULT, SCORE_AGAIN, find_metric
from unseg_bench.words import first_of


def compared_metrics(runs: Sequence[RunScores], asked: Sequence[str], missing: str) -> tuple[Metric, ...]:
    """Return the metrics of a comparison; a plugin's are known by the runs that were scored by them.

    Raises: SettingsError for a name that no run knows, or where missing cases are to count as the worst and a metric
    has no worst value; ScoreError where two runs mean different metrics by one name.
    """
    known = {name: metric for run in runs for name, metric in run.metrics.items()}
    found = [find_metric(word, known) for word in asked]
    for metric in found:
        if missing == "worst" and metric.worst is None:
            raise SettingsError(f"--missing worst: metric '{metric.name}' has no worst value; use --missing common")
        others = [run.name for run in runs if run.metrics.get(metric.name, metric) != metric]
        if others:
            raise ScoreError(
                f"metric '{metric.name}' is described or computed otherwise for {first_of(others)}: score all runs "
                "with one version of its plugin"
            )
    return tuple(dict.fromkeys((*DEFAULT, *found)))


def unmeasured_notes(runs: Sequence[RunScores], metrics: Sequence[Metric]) -> list[str]:
    """Say which runs have no values of a metric, such as those scored before its plugin was there."""
    notes: list[str] = []
    for metric in metrics:
        names = [run.name for run in runs if any(metric.name not in score.values for score in run.scores)]
        if names:
            notes.append(f"no {metric.title} in the scores of {', '.join(names)}: {SCORE_AGAIN}")
    return notes
