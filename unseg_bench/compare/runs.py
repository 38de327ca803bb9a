"""From run folders to what a comparison needs: which runs belong in the table, and their scores."""

from collections.abc import Callable, Sequence
from pathlib import Path

from unseg_bench.compare.inputs import RunScores
from unseg_bench.errors import ScoreError
from unseg_bench.plugins.names import did_you_mean
from unseg_bench.run.digests import digest_of
from unseg_bench.run.folder import RunFolder, find_runs
from unseg_bench.run.ledger import label_free
from unseg_bench.score.table import read_scores


def collect(runs_folder: Path, selectors: Sequence[str] = ()) -> list[RunScores]:
    """Return the scores of the chosen runs; without `selectors`, the newest complete run of each method and its seeds.

    A selector is a run's folder, its name, or a method's name (its newest run, all seeds). The data set, split and part
    are those of the newest run. Raises ScoreError when there is nothing to compare or a selector fits nothing.
    """
    complete = [run for run in find_runs(runs_folder) if run.state == "complete"]
    if not selectors:
        chosen = _newest_of_each_method(complete)
    else:
        chosen = [run for selector in selectors for run in _select(selector, complete)]
    if not chosen:
        raise ScoreError(f"{runs_folder}: no complete run here; `ubench run threshold clisc` makes two")
    return _scores(list({run.path.resolve(): run for run in chosen}.values()))


def _newest_of_each_method(complete: Sequence[RunFolder]) -> list[RunFolder]:
    if not complete:
        return []
    data = _data_of(complete[-1])
    same_data = [run for run in complete if _data_of(run) == data]
    methods = sorted({str(run.record["method"]) for run in same_data})
    return [run for method in methods for run in _newest_with_seeds(same_data, lambda run, m=method: _is(run, m))]


def _select(selector: str, complete: Sequence[RunFolder]) -> list[RunFolder]:
    """Return the runs that a selector means."""
    by_path = RunFolder(Path(selector))
    if (by_path.path / "run.json").is_file():
        if by_path.state != "complete":
            raise ScoreError(f"{selector}: this run is not complete ('{by_path.state}'); run its command again first")
        return [by_path]
    if named := [run for run in complete if run.path.name == selector]:
        return named
    if found := _newest_with_seeds(complete, lambda run: _is(run, selector)):
        return found
    known = {run.path.name for run in complete} | {str(run.record["method"]) for run in complete}
    raise ScoreError(f"no complete run or method '{selector}'.{did_you_mean(selector, known)}")


def _newest_with_seeds(runs: Sequence[RunFolder], wanted: Callable[[RunFolder], bool]) -> list[RunFolder]:
    fitting = [run for run in runs if wanted(run)]
    if not fitting:
        return []
    newest = _identity(fitting[-1])
    seeds = {int(run.record["seed"]): run for run in fitting if _identity(run) == newest}
    return [seeds[seed] for seed in sorted(seeds)]


def _scores(runs: Sequence[RunFolder]) -> list[RunScores]:
    labels = _labels(runs)
    return [
        RunScores(
            method=str(run.record["method"]),
            label=labels[_identity(run)],
            seed=int(run.record["seed"]),
            label_free=label_free(run.record),
            dataset=str(run.record["dataset"]),
            split=str(run.record["split"]),
            part=str(run.record["part"]),
            evidence=bool(run.record["evidence"]),
            scores=read_scores(run.scores),
            scoring_rules=dict(run.record["scoring_rules"]),
            is_floor=bool(run.record["floor"]),
        )
        for run in runs
    ]


def _labels(runs: Sequence[RunFolder]) -> dict[str, str]:
    """Name each (method, options) for the table: the method, and the run's own digest where a method appears twice."""
    by_method: dict[str, list[str]] = {}
    for run in runs:
        known = by_method.setdefault(str(run.record["method"]), [])
        if _identity(run) not in known:
            known.append(_identity(run))
    labels: dict[str, str] = {}
    for run in runs:
        method = str(run.record["method"])
        suffix = f" ({run.record['preset']}, {run.path.name.rpartition('-')[2]})" if len(by_method[method]) > 1 else ""
        labels.setdefault(_identity(run), method + suffix)
    return labels


def _identity(run: RunFolder) -> str:
    """What two seeds of one method have in common."""
    settings = {name: value for name, value in run.record["settings"].items() if name not in {"seeds", "device"}}
    return digest_of({"method": run.record["method"], "settings": settings, "code": run.path.name.rpartition("-")[2]})


def _data_of(run: RunFolder) -> str:
    record = run.record
    return digest_of([record["dataset"], record["dataset_identity"], record["split"], record["part"], record["cases"]])


def _is(run: RunFolder, method: str) -> bool:
    return run.record["method"] == method
