"""From run folders to what a comparison needs: which runs belong in the table, and their scores."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unseg_bench.compare.inputs import RunScores
from unseg_bench.compare.labels import Variant, label_all
from unseg_bench.errors import ScoreError
from unseg_bench.plugins.names import did_you_mean
from unseg_bench.run.digests import digest_of
from unseg_bench.run.folder import SCORED, RunFolder, find_runs
from unseg_bench.run.ledger import label_free
from unseg_bench.score.table import read_scores


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
        return dict(self.record.get("settings", {}).get("set", {}))

    @property
    def digest(self) -> str:
        """The end of a run's name: a digest of its code, options and cases, and not of its seed."""
        return self.folder.path.name.rpartition("-")[2]

    @property
    def identity(self) -> str:
        """What two seeds of one method have in common; of predictions made elsewhere only the name is known."""
        if self.record.get("made_elsewhere"):
            return digest_of({"made elsewhere": self.method})
        return digest_of({"method": self.method, "preset": self.record["preset"], "made of": self.digest})

    @property
    def data(self) -> str:
        """The data set, its split and part: only runs that share it belong in one table."""
        record = self.record
        limit = record.get("settings", {}).get("limit")
        return digest_of([record["dataset"], record.get("dataset_identity"), record["split"], record["part"], limit])


def collect(runs_folder: Path, selectors: Sequence[str] = ()) -> list[RunScores]:
    """Return the scores of the chosen runs; without `selectors`, the newest complete run of each method and its seeds.

    A selector is a run's folder, its name, a method's name (its newest run, all seeds), or a folder of runs (the newest
    of each method in it). The data set, split and part are those of the newest run. Raises ScoreError when there is
    nothing to compare or a selector fits nothing.
    """
    complete = _complete(find_runs(runs_folder))
    if not selectors:
        chosen = _newest_of_each_method(complete)
    else:
        chosen = [run for selector in selectors for run in _select(selector, complete)]
    if not chosen:
        raise ScoreError(f"{runs_folder}: no complete run here; `ubench run threshold clisc` makes two")
    return _scores(list({run.folder.path.resolve(): run for run in chosen}.values()))


def collect_labelled(rows: Mapping[str, Sequence[RunFolder]]) -> list[RunScores]:
    """Return the scores of given runs under given labels: label -> its runs, one a seed; rows keep their order.

    Labels are the comparison's, so one run may stand in several rows. Raises ScoreError for a run without scores.
    """
    return [_run_scores(_scored(folder), label) for label, folders in rows.items() for folder in folders]


def _complete(folders: Sequence[RunFolder]) -> list[_Run]:
    runs = [_Run(folder, folder.record) for folder in folders]
    return [run for run in runs if run.record.get("state") in SCORED]


def _newest_of_each_method(complete: Sequence[_Run]) -> list[_Run]:
    if not complete:
        return []
    data = complete[-1].data
    same_data = [run for run in complete if run.data == data]
    methods = sorted({run.method for run in same_data})
    return [run for method in methods for run in _newest_with_seeds(same_data, method)]


def _newest_with_seeds(runs: Sequence[_Run], method: str) -> list[_Run]:
    fitting = [run for run in runs if run.method == method]
    if not fitting:
        return []
    identity, data = fitting[-1].identity, fitting[-1].data
    seeds = {run.seed: run for run in fitting if (run.identity, run.data) == (identity, data)}
    return [seeds[seed] for seed in sorted(seeds)]


def _select(selector: str, complete: Sequence[_Run]) -> list[_Run]:
    """Return the runs that a selector means."""
    folder = RunFolder(Path(selector))
    if (folder.path / "run.json").is_file():
        return [_scored(folder)]
    if named := [run for run in complete if run.folder.path.name == selector]:
        return named
    if found := _newest_with_seeds(complete, selector):
        return found
    if folder.path.is_dir():
        if below := _newest_of_each_method(_complete(_runs_in(folder.path))):
            return below
        raise ScoreError(f"{selector}: no complete run in this folder; `ubench runs --runs {selector}` lists all runs")
    known = {run.folder.path.name for run in complete} | {run.method for run in complete}
    raise ScoreError(f"no complete run or method '{selector}'.{did_you_mean(selector, known)}")


def _scored(folder: RunFolder) -> _Run:
    """Return a run that must have scores; raises ScoreError."""
    if folder.state not in SCORED:
        raise ScoreError(f"{folder.path}: this run is not complete ('{folder.state}'); run its command again first")
    return _Run(folder, folder.record)


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
    return RunScores(
        method=run.method,
        label=label,
        seed=run.seed,
        label_free=label_free(run.record),
        dataset=str(run.record["dataset"]),
        split=str(run.record["split"]),
        part=str(run.record["part"]),
        evidence=bool(run.record["evidence"]),
        scores=read_scores(run.folder.scores),
        scoring_rules=dict(run.record["scoring_rules"]),
        is_floor=bool(run.record.get("floor")),
        preset=str(run.record.get("preset", "")),
        options=run.options,
        folder=run.folder.path,
        weights=tuple(run.record.get("weights", {})),
    )


def _variant(run: _Run) -> Variant:
    return Variant(
        method=run.method,
        preset=str(run.record.get("preset", "")),
        options=run.options,
        digest=run.digest,
        made_elsewhere=bool(run.record.get("made_elsewhere")),
    )
