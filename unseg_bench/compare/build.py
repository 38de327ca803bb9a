"""Scores of runs in, one comparison out."""

from collections.abc import Mapping, Sequence

from unseg_bench.compare.cohort_table import read_column
from unseg_bench.compare.comparison import Comparison, MethodRow, Published
from unseg_bench.compare.confidence import confidence_rows, mean_confidences
from unseg_bench.compare.groups import Grouping, group_by_column, group_by_size
from unseg_bench.compare.inputs import CaseFacts, RunScores, check_runs
from unseg_bench.compare.notes import comparison_notes
from unseg_bench.compare.patients import by_patient, patients_note
from unseg_bench.compare.policies import policy_rows
from unseg_bench.compare.published_table import published_table
from unseg_bench.compare.rows import case_entries, column_test, method_rows, planned_cases
from unseg_bench.compare.settings import CompareSettings
from unseg_bench.compare.standing import competing_labels, sections
from unseg_bench.compare.statistics.record import Statistics, StatisticsSettings
from unseg_bench.compare.values import ScoreTable, by_label, case_facts, chosen_cases, score_table
from unseg_bench.errors import ScoreError, SettingsError
from unseg_bench.plugins.metric import Metric
from unseg_bench.score.metrics import DEFAULT, find_metric
from unseg_bench.words import first_of

DEFAULTS = CompareSettings()


def compare(runs: Sequence[RunScores], settings: CompareSettings = DEFAULTS, notes: Sequence[str] = ()) -> Comparison:
    """Compare runs overall and by groups of cases; rows keep the order in which their labels first come.

    notes: of how the runs were chosen, to stand with those on their cases. Raises: ScoreError where runs do not belong
    together (see `check_runs`), SettingsError or DataError where groups cannot be made, SettingsError for a metric that
    nobody knows.
    """
    check_runs(runs, same_cases=settings.missing == "refuse")
    first, scored = next(run for run in runs if run.failure is None), by_label(runs)
    standing, planned, facts = sections(runs), planned_cases(runs), case_facts(runs)
    cases = chosen_cases(scored, planned, facts, settings.missing)
    metrics = _metrics(runs, settings.metrics, settings.missing)
    grouping = _grouping(facts, cases, settings)
    table = score_table(scored, cases, facts, grouping, competing_labels(standing), metrics, settings)
    tested = by_patient(table, runs)
    rows, floor = method_rows(runs, scored, table, standing)
    floors = [row.label for row in rows if row.is_floor]
    confidences = mean_confidences(runs)
    entries = case_entries(scored, table, planned, confidences)
    return Comparison(
        dataset=first.dataset,
        split=first.split,
        part=first.part,
        evidence=first.evidence,
        scoring_rules=dict(first.scoring_rules),
        grouping=grouping.title,
        empty=settings.empty,
        missing=settings.missing,
        planned=len(planned),
        cases=cases,
        alpha=settings.alpha,
        floor=floor,
        columns=table.columns,
        rows=rows,
        tests=tuple(column_test(tested, column, settings.alpha) for column in table.columns),
        policies=policy_rows(scored, cases, facts, settings.missing),
        entries=entries,
        statistics=_statistics(tested, settings.statistics, floor, floors),
        published=_published(first, rows, len(cases), settings),
        notes=(*notes, *comparison_notes(runs, table, settings), *patients_note(table, tested)),
        group_notes=grouping.notes,
        confidences=confidence_rows(runs, confidences, entries, correlate=settings.statistics is not None),
    )


def _metrics(runs: Sequence[RunScores], asked: Sequence[str], missing: str) -> tuple[Metric, ...]:
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


def _grouping(facts: Mapping[str, CaseFacts], cases: Sequence[str], settings: CompareSettings) -> Grouping:
    if settings.group_by is not None:
        texts = read_column(settings.group_by, cases)
        return group_by_column(settings.group_by.column, texts, settings.groups)
    return group_by_size({case: facts[case].tumour_ml for case in cases if case in facts}, settings.groups)


def _published(run: RunScores, rows: Sequence[MethodRow], cases: int, settings: CompareSettings) -> Published | None:
    if settings.published is None:
        return None
    reference = settings.statistics.reference if settings.statistics is not None else None
    return published_table(settings.published, run, rows, cases, reference)


def _statistics(
    table: ScoreTable, settings: StatisticsSettings | None, floor: str | None, floors: Sequence[str]
) -> Statistics | None:
    """Statistics load scipy, so only when they are asked for."""
    if settings is None:
        return None
    from unseg_bench.compare.statistics.compute import compute_statistics

    return compute_statistics(table, settings, floor, floors)
