"""From run folders to what a comparison needs: which runs belong in the table, and their scores."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unseg_bench.compare.inputs import CaseFacts, RunScores
from unseg_bench.compare.labels import Variant, label_all
from unseg_bench.errors import ScoreError, UbenchError
from unseg_bench.plugins.digests import digest_of
from unseg_bench.plugins.names import did_you_mean
from unseg_bench.run.choice import Standing, data_of, is_scored, lacking_cases, limit_of, planned_cases, standing
from unseg_bench.run.confidence import Confidences
from unseg_bench.run.folder import RunFolder, find_runs, open_run
from unseg_bench.run.ledger import label_free
from unseg_bench.run.made import made_in
from unseg_bench.score.intact import doubts_about_files
from unseg_bench.score.metrics import metrics_of
from unseg_bench.score.table import read_scores

_UNFINISHED = {"started": "not finished", "predicted": "segmented, not scored"}


@dataclass(frozen=True, slots=True)
class _Run:
    """A run with its record, which is read from disk once."""

    folder: RunFolder
    record: dict[str, Any]

    @property
    def method(self) -> str:
        """The method's name."""
        return str(self.record["method"])

    @property
    def seed(self) -> int:
        """The run's seed; 0 for predictions made elsewhere that have none."""
        return int(self.record.get("seed", 0))

    @property
    def options(self) -> dict[str, object]:
        """The method's options by dotted name."""
        return dict(self.record.get("options", self.record.get("settings", {}).get("set", {})))

    @property
    def digest(self) -> str:
        """The end of a run's name: a digest of its code, options and cases, and not of its seed."""
        return self.folder.path.name.rpartition("-")[2]

    @property
    def identity(self) -> str:
        """What two seeds of one method have in common; of predictions made elsewhere only how they were read is known.

        A run whose failed images were mended has a name of before; what it is made of is in its record.
        """
        record = self.record
        if record.get("made_elsewhere"):
            source = record.get("source", {})
            return digest_of({"made elsewhere": self.method, "read": [source.get("labels"), source.get("threshold")]})
        made_of = [record["made_of"], record.get("content")] if "made_of" in record else self.digest
        return digest_of({"method": self.method, "preset": record["preset"], "made of": made_of})

    @property
    def data(self) -> str:
        """The data set, its split and part: only runs that share it belong in one table."""
        return data_of(self.record)

    @property
    def standing(self) -> Standing:
        """How well the run stands for its method."""
        return standing(self.record)

    @property
    def failure(self) -> str | None:
        """Why the run has no scores, None where it has."""
        if is_scored(self.record):
            return None
        state = str(self.record.get("state", "absent"))
        return str(self.record.get("error") or _UNFINISHED.get(state, state))


@dataclass(frozen=True, slots=True)
class _Chosen:
    """The runs that a selector means, those that stand aside for them, and what else must be said."""

    runs: list[_Run]
    aside: Sequence[_Run] = ()
    notes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Collected:
    """The scores of chosen runs, and what must be said of those that were left out."""

    runs: list[RunScores]
    notes: tuple[str, ...] = ()


def collect(
    runs_folder: Path,
    selectors: Sequence[str] = (),
    missing: str = "refuse",
    left_out: Callable[[UbenchError], None] = lambda _: None,
) -> Collected:
    """Return the scores of the chosen runs; without `selectors`, one run of each method with its seeds.

    A selector is a run's folder, its name, a method's name, or a folder of runs (each method in it). Where a method is
    meant, its newest run with the preset's own options on all cases stands for it (`run.choice`); without such a run,
    one that lacks cases (in a table of several methods only if `missing` says what is done about that), or one with
    other options. Data set, split and part are those of the newest run. A named run without scores keeps a row, with
    the reason. `left_out` hears why a run that was not named cannot be read; others take its place. Raises ScoreError
    when there is nothing to compare or a selector fits nothing.
    """
    found = _read(find_runs(runs_folder, left_out))
    if selectors:
        parts = [_select(selector, found, missing) for selector in selectors]
    else:
        parts = [_one_of_each_method(found, missing)]
        while unreadable := [run for run in parts[0].runs if not _is_readable(run, left_out)]:
            found = [run for run in found if run not in unreadable]
            parts = [_one_of_each_method(found, missing)]
    chosen = [run for part in parts for run in part.runs]
    if not chosen:
        raise ScoreError(f"{runs_folder}: no complete run here; `ubench run threshold clisc` makes two")
    unique = list({run.folder.path.resolve(): run for run in chosen}.values())
    if all(run.failure is not None for run in unique):
        run = unique[0]
        raise ScoreError(
            f"{run.folder.path}: this run is not complete ('{run.record.get('state')}'); run its command again first"
        )
    aside = {run.folder.path.resolve() for part in parts for run in part.aside} - {
        run.folder.path.resolve() for run in unique
    }
    notes = dict.fromkeys(note for part in parts for note in part.notes)
    more = f"{len(aside)} run{'s' * (len(aside) > 1)} on other cases or settings left out: ubench runs"
    return Collected(_scores(unique), (*notes, *([more] if aside else [])))


def collect_labelled(rows: Mapping[str, Sequence[RunFolder]]) -> list[RunScores]:
    """Return the scores of given runs under given labels: label -> its runs, one a seed; rows keep their order.

    Labels are the comparison's, so one run may stand in several rows. A run without scores has the reason instead.
    """
    return [_run_scores(_Run(folder, folder.record), label) for label, folders in rows.items() for folder in folders]


def _read(folders: Sequence[RunFolder]) -> list[_Run]:
    return [_Run(folder, folder.record) for folder in folders]


def _is_readable(run: _Run, left_out: Callable[[UbenchError], None]) -> bool:
    try:
        return run.failure is not None or bool(read_scores(run.folder.scores))
    except UbenchError as error:
        left_out(error)
        return False


def _one_of_each_method(found: Sequence[_Run], missing: str) -> _Chosen:
    """Return the runs that stand for the methods on the newest run's data."""
    scored = [run for run in found if run.failure is None]
    if not scored:
        return _Chosen([])
    same = [run for run in scored if run.data == scored[-1].data]
    best: dict[str, Standing] = {}
    for run in same:
        best[run.method] = min(best.get(run.method, run.standing), run.standing)
    # What lacks cases joins others where that is allowed, and else only its like; a smoke test joins its like.
    whole = {method for method, standing in best.items() if standing in {Standing.WHOLE, Standing.OTHER}}
    lacking = {method for method, standing in best.items() if standing in {Standing.LACKING, Standing.OTHER_LACKING}}
    methods = whole | lacking if missing != "refuse" or not whole else whole
    if methods:
        chosen = [run for method in sorted(methods) for run in _with_seeds(same, method, best[method])]
    else:
        limited = [run for run in same if limit_of(run.record) == limit_of(scored[-1].record)]
        chosen = [run for method in sorted(best) for run in _with_seeds(limited, method, Standing.LIMITED)]
    told = [_with_seeds(same, method, best[method]) for method in sorted(lacking - methods)]
    aside = _aside(found, scored[-1], [*chosen, *(run for runs in told for run in runs)])
    return _Chosen(chosen, aside, [*(_lacks(runs[0]) for runs in told), *_say_unscored(found, scored[-1])])


def _with_seeds(runs: Sequence[_Run], method: str, standing: Standing) -> list[_Run]:
    """Return the newest run of a method that stands so well, with its other seeds, in their order."""
    fitting = [run for run in runs if run.method == method and run.standing == standing]
    if not fitting:
        return []
    seeds = {run.seed: run for run in fitting if run.identity == fitting[-1].identity}
    return [seeds[seed] for seed in sorted(seeds)]


def _lacks(run: _Run) -> str:
    lacking, cases = lacking_cases(run.record), planned_cases(run.record)
    return (
        f"left out: {run.method}, which lacks {len(lacking)} of {len(cases)} cases; "
        "--missing worst counts these as the worst, --missing common leaves them out"
    )


def _aside(found: Sequence[_Run], newest: _Run, chosen: Sequence[_Run]) -> list[_Run]:
    """Return scored runs on this data set that are shown nowhere and are not just older ones of the same kind."""
    shown = {run.folder.path for run in chosen}
    kinds = {(run.method, run.data, run.standing) for run in chosen if run.standing is Standing.WHOLE}
    return [
        run
        for run in found
        if run.failure is None
        and run.record["dataset"] == newest.record["dataset"]
        and run.folder.path not in shown
        and (run.method, run.data, run.standing) not in kinds
    ]


def _say_unscored(found: Sequence[_Run], newest: _Run) -> list[str]:
    """Say which methods have runs on the data, and scores of none of them."""
    same = [run for run in found if run.data == newest.data]
    scored = {run.method for run in same if run.failure is None}
    states = {run.method: str(run.record.get("state")) for run in same if run.method not in scored}
    words = [f"{method} ({state})" for method, state in sorted(states.items())]
    return [f"no scores, so no row: {', '.join(words)}"] if words else []


def _select(selector: str, found: Sequence[_Run], missing: str) -> _Chosen:
    """Return the runs that a selector means."""
    folder = RunFolder(Path(selector))
    if (folder.path / "run.json").is_file():
        return _Chosen(_read([open_run(folder.path)]))
    if named := [run for run in found if run.folder.path.name == selector]:
        return _Chosen(named)
    if own := [run for run in found if run.method == selector]:
        return _of_method(own)
    if folder.path.is_dir():
        below = _one_of_each_method(_read(_runs_in(folder.path)), missing)
        if below.runs:
            return below
        raise ScoreError(f"{selector}: no complete run in this folder; `ubench runs --runs {selector}` lists all runs")
    known = {run.folder.path.name for run in found} | {run.method for run in found}
    raise ScoreError(f"no run or method '{selector}'.{did_you_mean(selector, known)}")


def _of_method(own: Sequence[_Run]) -> _Chosen:
    """Return the run that stands for a named method with all its seeds, those that lack cases or failed too."""
    newest = [run for run in own if run.failure is None][-1:] or own[-1:]
    same = [run for run in own if run.data == newest[0].data]
    best = _with_seeds(same, newest[0].method, min(run.standing for run in same))
    seeds = {run.seed: run for run in same if run.identity == best[0].identity} | {run.seed: run for run in best}
    chosen = [seeds[seed] for seed in sorted(seeds)]
    return _Chosen(chosen, _aside(own, newest[0], chosen))


def _runs_in(folder: Path) -> list[RunFolder]:
    """Runs of a folder such as `runs/phantom`, or of all data sets in one such as `runs`; oldest first."""
    own = folder.resolve()
    directly = [run for run in find_runs(own.parent) if run.path.parent == own]
    return directly or find_runs(folder)


def _scores(runs: Sequence[_Run]) -> list[RunScores]:
    variants = {run.identity: _variant(run) for run in runs}
    labels = dict(zip(variants, label_all(list(variants.values())), strict=True))
    return [_run_scores(run, labels[run.identity]) for run in runs]


def _run_scores(run: _Run, label: str) -> RunScores:
    record, failure, stated = run.record, run.failure, Confidences.of(run.record)
    scores = read_scores(run.folder.scores) if failure is None else []
    return RunScores(
        method=run.method,
        label=label,
        seed=run.seed,
        label_free=label_free(record),
        dataset=str(record["dataset"]),
        split=str(record["split"]),
        part=str(record["part"]),
        evidence=bool(record["evidence"]),
        scores=scores,
        scoring_rules=dict(record.get("scoring_rules", {})),
        is_floor=bool(record.get("floor")),
        is_ceiling=bool(record.get("ceiling")),
        preset=str(record.get("preset", "")),
        options=run.options,
        folder=run.folder.path,
        weights=tuple(record.get("weights", {})),
        cases=tuple(planned_cases(record)),
        metrics=metrics_of(record),
        unscored={case: CaseFacts(**facts) for case, facts in record.get("unscored", {}).items()},
        limit=limit_of(record),
        failure=failure,
        patients=dict(record.get("patients", {})),
        without_reference=tuple(record.get("without_reference", [])),
        doubts=doubts_about_files(run.folder, scores) if failure is None else (),
        images=_images(run.folder),
        confidences=stated.values,
        look_below=stated.below,
    )


def _images(folder: RunFolder) -> dict[str, str]:
    """Return the digest of the image file behind each prediction; a record that cannot be read tells of none."""
    try:
        return {case: made.image_sha256 for case, made in made_in(folder).items()}
    except (UbenchError, OSError):
        return {}


def _variant(run: _Run) -> Variant:
    return Variant(
        method=run.method,
        preset=str(run.record.get("preset", "")),
        options=run.options,
        digest=run.digest,
        made_elsewhere=bool(run.record.get("made_elsewhere")),
        differs=run.record.get("differs", {}),
    )
