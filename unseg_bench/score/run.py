"""The score room's door: a run folder with predictions in, `scores.csv` beside them out."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unseg_bench.data.labels import read_reference
from unseg_bench.data.paths import cache_dir
from unseg_bench.data.store import PreparedStore
from unseg_bench.data.volume import Mask
from unseg_bench.errors import ScoreError, UbenchError
from unseg_bench.plugins.dataset import Dataset
from unseg_bench.plugins.manager import Plugins
from unseg_bench.run.folder import SCORED, RunFolder
from unseg_bench.run.locks import hold
from unseg_bench.run.progress import Reporter
from unseg_bench.run.settings import make_dataset
from unseg_bench.score.alternatives import score_alternatives
from unseg_bench.score.doubts import doubts_of, without_reference
from unseg_bench.score.record import SCORING_RULES, CaseScore
from unseg_bench.score.run_scores import ReferenceOf, score_predictions
from unseg_bench.score.table import has_all_columns, read_scores, write_scores
from unseg_bench.score.unscored import unscored_facts


def score_run(run: RunFolder, plugins: Plugins, reporter: Reporter, *, strict: bool = False) -> list[CaseScore]:
    """Score a run's predictions and write scores.csv; one that has all scores by the same rules is only read.

    A case without a reference is named in the run's `without_reference`. One that cannot be scored is left out and
    joins its `failed_cases`, unless `strict` is set or it is so of all cases. Raises then what was wrong with the first
    one, and ScoreError when the run has no predictions yet.
    """
    with hold(run.path / "run.lock", reporter.message):
        record = run.record
        same_rules = record.get("state") == "complete" and record.get("scoring_rules") == SCORING_RULES
        if same_rules and has_all_columns(run.scores) and not _gained_a_reference(record, plugins):
            return read_scores(run.scores)
        if record.get("state") not in {"predicted", *SCORED}:
            raise ScoreError(f"{run.path}: not all cases are segmented; run the same command again, then score")
        return _score(run, record, _open_dataset(record, plugins), reporter, strict=strict)


def _open_dataset(record: Mapping[str, Any], plugins: Plugins) -> Dataset:
    settings = record["settings"]
    return make_dataset(plugins.dataset(settings["dataset"]), settings["dataset_options"])


def _gained_a_reference(record: Mapping[str, Any], plugins: Plugins) -> bool:
    """Whether a case that had no reference when the run was scored has one today."""
    bare = record.get("without_reference", [])
    return bool(bare) and set(bare) != set(without_reference(_open_dataset(record, plugins), bare))


def _score(
    run: RunFolder, record: Mapping[str, Any], dataset: Dataset, reporter: Reporter, *, strict: bool
) -> list[CaseScore]:
    bare = without_reference(dataset, record["cases"])
    if len(bare) == len(record["cases"]):
        raise ScoreError(f"{run.path}: the data set '{dataset.name}' has no reference mask for any of its cases")
    cases = [case_id for case_id in record["cases"] if case_id not in bare and run.prediction(case_id).is_file()]
    unscored: dict[str, UbenchError] = {}
    uncounted: set[int] = set()
    references = _references(dataset, uncounted)
    scores = score_predictions(
        {case_id: run.prediction(case_id) for case_id in cases},
        references,
        progress=_steps(reporter, len(cases)),
        leave_out=None if strict else unscored.__setitem__,
    )
    if not scores and unscored:
        raise next(iter(unscored.values()))
    failed = {case_id: reason for case_id, reason in run.failed_cases.items() if case_id not in cases}
    failed |= {case_id: f"{type(error).__name__}: {error}" for case_id, error in unscored.items()}
    absent = [case_id for case_id in record.get("missing_cases", []) if case_id not in record["cases"]]
    score_alternatives(run, [score.case for score in scores], references, reporter)
    write_scores(run.scores, scores)
    run.update(
        {
            "state": "partial" if failed else "complete",
            "failed_cases": failed,
            "missing_cases": [*absent, *(case_id for case_id in record["cases"] if case_id in failed)],
            "unscored": unscored_facts([*absent, *failed], references),
            "without_reference": bare,
            "doubts": doubts_of(scores, uncounted),
            "scoring_rules": SCORING_RULES,
        }
    )
    return scores


def _references(dataset: Dataset, uncounted: set[int]) -> ReferenceOf:
    """Return the function that opens a case's reference through the one door, and notes labels that do not count."""
    store = PreparedStore(cache_dir() / "prepared")

    def read(case_id: str) -> tuple[Mask, NDArray[np.float64]]:
        return read_reference(dataset, case_id, store.prepare(case_id, dataset.image(case_id)).grid, uncounted)

    return read


def _steps(reporter: Reporter, total: int) -> Callable[[CaseScore], None]:
    done = 0

    def step(score: CaseScore) -> None:
        nonlocal done
        done += 1
        reporter.step(done, total, score.case)

    return step
