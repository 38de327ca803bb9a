"""All that the command line does, as functions: run, score, compare, report.

    import unseg_bench as ub

    outcomes = ub.run(["threshold", "clisc"])
    table = ub.compare()
    table.to_frame()

How far a call is goes to stderr, in a notebook as in a log. Errors are `UbenchError`s.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unseg_bench.console.plugins import plugins_with_warnings
from unseg_bench.console.reporters import make_reporter
from unseg_bench.console.streams import print_error, warn, warn_of
from unseg_bench.data.visible import visible
from unseg_bench.errors import SettingsError

if TYPE_CHECKING:
    from pandas import DataFrame

    from unseg_bench.compare.comparison import Comparison
    from unseg_bench.compare.inputs import RunScores
    from unseg_bench.run.executors.executor import Executor
    from unseg_bench.run.plan import RunPlan
    from unseg_bench.run.settings import RunSettings
    from unseg_bench.score.elsewhere import ScoredElsewhere
    from unseg_bench.score.outcome import Outcome

__all__ = ["Compared", "Outcomes", "compare", "plan", "report", "run", "run_plans", "score", "settings"]

RUNS = Path("runs")
"""Where runs go, below the current folder."""


class Outcomes(Sequence["Outcome"]):
    """What became of the runs of one call, in their order; a notebook shows it as a table."""

    def __init__(self, outcomes: Sequence["Outcome"]) -> None:
        self._outcomes = tuple(outcomes)

    def __getitem__(self, index: Any) -> Any:  # noqa: ANN401 - an outcome, or several for a slice
        return self._outcomes[index]

    def __len__(self) -> int:
        return len(self._outcomes)

    @property
    def failed(self) -> "list[Outcome]":
        """Those that went wrong, as a whole or in some cases; `error` says how."""
        return [outcome for outcome in self._outcomes if outcome.error is not None]

    @property
    def exit_code(self) -> int:
        """The exit code of the first failure, 0 where there is none."""
        return next((one.error.exit_code for one in self._outcomes if one.error is not None), 0)

    def to_frame(self) -> "DataFrame":
        """Return a row a run: method, preset, seed, state, mean DSC (0-1) and HD95 (mm), folder, error.

        The means are over the cases that did not fail. look_at: how many cases the method's own confidence says to
        look at; `confidences` has them.
        """
        from pandas import DataFrame

        from unseg_bench.run.ledger import label_free

        names = (
            *("method", "preset", "seed", "dataset", "state", "cases", "failed_cases"),
            *("dsc", "hd95_mm", "look_at", "label_free", "run", "error"),
        )
        rows = [
            {
                **one.to_dict(),
                "label_free": label_free(one.plan.folder.record),
                "failed_cases": len(one.plan.folder.failed_cases),
                "look_at": len(one.confidences.look),
                "error": None if one.error is None else visible(str(one.error)),
            }
            for one in self._outcomes
        ]
        return DataFrame(rows, columns=list(names))

    def confidences(self) -> "DataFrame":
        """Return a row a case and run, the lowest confidence of each run first.

        Columns: method, preset, seed, case, confidence (0-1), the numbers that it was made of, and look: whether to
        look at the case, None where the method names no level.
        """
        from pandas import DataFrame

        from unseg_bench.plugins.confidence import CONFIDENCE_COLUMNS

        rows = [
            {"method": one.plan.method.name, "preset": one.plan.preset, "seed": one.plan.seed, **row}
            for one in self._outcomes
            for row in one.confidences.rows()
        ]
        return DataFrame(rows) if rows else DataFrame(columns=["method", "preset", "seed", *CONFIDENCE_COLUMNS])

    def _repr_html_(self) -> str:
        return self.to_frame().to_html(index=False, escape=True)

    def __repr__(self) -> str:
        return self.to_frame().to_string(index=False)


@dataclass(frozen=True, slots=True)
class Compared:
    """Methods side by side; a notebook shows the table. `comparison` is what exports take, `runs` the scores in it."""

    comparison: "Comparison"
    runs: "tuple[RunScores, ...]"

    def to_frame(self) -> "DataFrame":
        """Return a row a method, its label as index: mean, sd (ddof 0) and n of each column, DSC 0-1, HD95 in mm."""
        from pandas import DataFrame, Index, MultiIndex

        rows = self.comparison.rows
        keys = [(column.key, part) for column in self.comparison.columns for part in ("mean", "sd", "n")]
        values = [[getattr(row.cells[key], part) for key, part in keys] for row in rows]
        index = Index([row.label for row in rows], name="method")
        frame = DataFrame(values, index=index, columns=MultiIndex.from_tuples(keys))
        frame.insert(0, ("label_free", ""), [row.label_free for row in rows])
        return frame

    def cases(self) -> "DataFrame":
        """Return a row a case and method, seeds averaged: group, volumes in ml, DSC 0-1, HD95 in mm, other metrics."""
        from pandas import DataFrame

        return DataFrame([entry.to_dict() for entry in self.comparison.entries])

    def write(self, path: str | Path) -> None:
        """Write a file; its ending says which kind (.md, .tex, .html, .json, .csv, .parquet); raises SettingsError."""
        from unseg_bench.report.exports import write

        write(self.comparison, Path(path))

    def _repr_html_(self) -> str:
        from unseg_bench.report.page.write import table_html

        return table_html(self.comparison)

    def __repr__(self) -> str:
        from unseg_bench.console.plain import PlainConsole
        from unseg_bench.report.terminal import print_comparison

        text = StringIO()
        print_comparison(self.comparison, PlainConsole(file=text, width=120, force_terminal=False))
        return text.getvalue()


def settings(
    methods: str | Path | Sequence[str | Path],
    *,
    data: str | Path | None = None,
    options: Mapping[str, Any] | None = None,
    dataset_options: Mapping[str, Any] | None = None,
    allow_missing: bool = False,
    config: str | Path | None = None,
    **more: Any,  # noqa: ANN401 - the other names of RunSettings, checked there
) -> "RunSettings":
    """Return the checked settings of a call.

    methods: names, or paths of Python files. data: folder of the images. options: of the methods, by dotted name, as
    `--set` takes them. dataset_options: of the data set (image, reference, split, ...). allow_missing: go on without
    files that are missing. config: a settings file, below all else. The others are those of `RunSettings`: dataset,
    preset, seeds, part, limit, device, sealed, offline, deterministic, keep_maps. Raises SettingsError naming what is
    wrong.
    """
    from unseg_bench.run.asked import data_options, settings_of

    shortcut: dict[str, Any] = {} if data is None else {"data": Path(data)}
    if allow_missing:
        shortcut["allow_missing"] = True
    given: dict[str, Any] = {"options": options, "dataset_options": dataset_options}
    for name, value in given.items():
        if value is not None and not isinstance(value, Mapping):
            raise SettingsError(f"{name}={value!r}: names and values are needed, such as {{'cut': 1.5}}")
    return settings_of(
        _names(methods),
        config=None if config is None else Path(config),
        dataset_options=data_options({**(dataset_options or {}), **shortcut}),
        set=options or {},
        **more,
    )


def _names(given: Any, what: str = "method") -> list[str]:  # noqa: ANN401 - what a user may give
    """Return names and paths as text, whether one was given or several; raises SettingsError for anything else."""
    if isinstance(given, str | Path):
        return [str(given)]
    several: list[Any] = list(given) if isinstance(given, Iterable) else [given]
    for one in several:
        if not isinstance(one, str | Path):
            raise SettingsError(f"{one!r:.80}: the name of a {what} or a path is needed")
    return [str(one) for one in several]


def plan(chosen: "RunSettings", *, runs: str | Path = RUNS) -> "list[RunPlan]":
    """Return the runs that settings mean, checked as far as can be before computing; raises UbenchError."""
    from unseg_bench.run.plan import plan_runs

    plans = plan_runs(chosen, plugins_with_warnings(), Path(runs))
    check_device(chosen)
    return plans


def check_device(chosen: "RunSettings") -> None:
    """Raise a UbenchError where a device was named that is not there, or a GPU does not work."""
    from unseg_bench.plugins.device import settle_device

    settle_device(chosen.device)


def run(
    methods: "str | Path | Sequence[str | Path] | RunSettings",
    *,
    runs: str | Path = RUNS,
    force: bool = False,
    strict: bool = False,
    **more: Any,  # noqa: ANN401 - as `settings` has them
) -> Outcomes:
    """Run methods on data, score them, and return what became of each run.

    The same call goes on where it stopped, and a complete run is only read. A run that fails does not stop the others:
    `failed` names it. methods: names or paths of files, with the other arguments of `settings`; or settings. force: do
    everything again. strict: end at the first failure. Raises UbenchError for bad input.
    """
    from unseg_bench.run.settings import RunSettings

    if isinstance(methods, RunSettings):
        if more:
            raise SettingsError(f"{', '.join(more)}: stand in the settings already; give names of methods, or settings")
        chosen = methods
    else:
        chosen = settings(methods, **more)
    return run_plans(plan(chosen, runs=runs), force=force, strict=strict)


def run_plans(
    plans: "Sequence[RunPlan]", *, force: bool = False, strict: bool = False, executor: "Executor | None" = None
) -> Outcomes:
    """Run and score every plan; what goes wrong is said at once, and the others go on unless `strict` is set.

    force: do everything again, stages that several runs share once.
    """
    from unseg_bench.run.executors.serial import Serial
    from unseg_bench.score.outcome import RunAndScore

    work = RunAndScore(since=time.time() if force else None, strict=strict)
    outcomes: list[Outcome] = []
    for outcome in (executor or Serial(make_reporter)).run(plans, work):
        outcomes.append(outcome)
        _tell(outcome)
        if strict and outcome.error is not None:
            break
    return Outcomes(outcomes)


def score(
    folder: str | Path,
    name: str,
    *,
    pattern: str | None = None,
    labels: Sequence[int] | None = None,
    threshold: float | None = None,
    allow_missing: bool = False,
    label_use: str | None = None,
    seed: int = 0,
    runs: str | Path = RUNS,
    **more: Any,  # noqa: ANN401 - as `settings` has them: data set and part
) -> "ScoredElsewhere":
    """Score predictions that were made elsewhere; they then stand in every table as the row `name`.

    pattern: file names, where '*' or '{case}' is the case id. labels: values that are tumour (None: all above 0).
    threshold: of probabilities, tumour is above it. label_use: what the makers say of labels. Raises UbenchError
    naming the files and the remedy.
    """
    from unseg_bench.score.elsewhere import Elsewhere, score_elsewhere

    chosen = settings(name, seeds=(seed,), **more)
    asked = Elsewhere(
        Path(folder), name, pattern, None if labels is None else tuple(labels), threshold, allow_missing, label_use
    )
    with make_reporter() as reporter:
        return score_elsewhere(asked, chosen, plugins_with_warnings(), Path(runs), reporter)


def compare(
    *selectors: "str | Path | Sequence[str | Path] | Outcome | Outcomes",
    runs: str | Path = RUNS,
    groups: int = 5,
    group_by: str | None = None,
    table: str | Path | None = None,
    metrics: str | Sequence[str] = (),
    empty: str = "diagonal",
    missing: str = "refuse",
    published: bool = False,
    statistics: bool = False,
    reference: str | None = None,
    margin: float = 0.02,
    correction: str = "holm",
) -> Compared:
    """Compare runs: of each method the newest with its preset's own options on all cases, or those that are named.

    selectors: run folders, names of runs, methods, folders of runs, or what `run` returned. groups: how many of tumour
    size; or group_by: a column of the cohort's own `table`. metrics: names of others than DSC and HD95. empty: HD95 of
    a missed tumour (diagonal, exclude, zero). missing: cases that not every run has (refuse, common, worst).
    published: the paper's printed rows beside. statistics: tests, intervals and claims, against `reference`, with
    `margin` (DSC) and `correction` (holm, fdr_by). Raises ScoreError where there is nothing to compare or runs do not
    belong together, SettingsError for an unknown word.
    """
    from unseg_bench.compare.build import compare as compare_scores
    from unseg_bench.compare.cohort_table import group_column
    from unseg_bench.compare.published_table import TABLE_1
    from unseg_bench.compare.runs import collect
    from unseg_bench.compare.settings import CompareSettings
    from unseg_bench.compare.statistics.record import StatisticsSettings

    chosen = CompareSettings(
        groups=groups,
        group_by=group_column(None if table is None else Path(table), group_by),
        metrics=_names(metrics, "metric"),
        empty=empty,
        missing=missing,
        published=TABLE_1 if published else None,
        statistics=StatisticsSettings(reference, margin, correction) if statistics else None,
    )
    found = collect(Path(runs), [name for selector in selectors for name in _selected(selector)], missing, warn_of)
    return Compared(compare_scores(found.runs, chosen, found.notes), tuple(found.runs))


def report(
    *selectors: "str | Path | Sequence[str | Path] | Outcome | Outcomes",
    out: str | Path = "report.html",
    title: str | None = None,
    cases: bool = True,
    quality: int | None = None,
    data: str | Path | None = None,
    **more: Any,  # noqa: ANN401 - as `compare` has them
) -> Path:
    """Write one HTML file that opens offline: tables, statistics, figures, slices of every case, provenance.

    title: None for data and counts. cases: with pictures, of a WebP `quality` of 1 to 100. data: where the folder of
    the data is now, if it moved. The others are those of `compare`. Raises DataError where images cannot be opened.
    """
    from unseg_bench.report.case_images import CaseImages
    from unseg_bench.report.page.write import PageSettings, write_page
    from unseg_bench.run.progress import timed_stage

    if Path(out).suffix.lower() not in {".html", ".htm"}:
        raise SettingsError(f"{out}: the page is HTML; name a file that ends in .html")
    if quality is not None and not 1 <= quality <= 100:
        raise SettingsError(f"quality={quality}: a number from 1 to 100 is needed")
    compared = compare(*selectors, statistics=True, **more)
    folder = None if data is None else Path(data)
    page = PageSettings(title, data=folder) if quality is None else PageSettings(title, quality, folder)
    browser = CaseImages.of(compared.runs, folder) if cases else None
    with make_reporter() as reporter, timed_stage(reporter, "report"):
        write_page(
            compared.comparison,
            Path(out),
            browser=browser,
            runs=compared.runs,
            settings=page,
            progress=reporter.step,
            tell=reporter.message,
        )
    return Path(out)


def _selected(selector: Any) -> list[str]:  # noqa: ANN401 - what `compare` takes
    """Return what a selector names: an outcome its run, several of them all of theirs."""
    from unseg_bench.score.outcome import Outcome

    if isinstance(selector, Outcome):
        return [str(selector.plan.folder.path)]
    if isinstance(selector, Outcomes):
        return [str(one.plan.folder.path) for one in selector]
    return _names(selector, "run or method")


def _tell(outcome: "Outcome") -> None:
    """Say what a reader of the run's numbers must know, and what went wrong."""
    from unseg_bench.score.doubts import remarks

    if outcome.plan.folder.state != "failed":
        for remark in remarks(outcome.plan.folder):
            warn(f"Warning: {outcome.plan.title}: {remark}")
    if outcome.error is not None:
        print_error(str(outcome.error))
