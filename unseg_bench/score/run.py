"""The score room's door: a run folder with predictions in, `scores.csv` beside them out."""

import os
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from unseg_bench.data.labels import read_reference
from unseg_bench.data.paths import cache_dir
from unseg_bench.data.store import PreparedStore
from unseg_bench.data.volume import Mask
from unseg_bench.errors import ScoreError
from unseg_bench.plugins.manager import Plugins
from unseg_bench.run.folder import RunFolder
from unseg_bench.run.progress import Reporter
from unseg_bench.run.settings import make_dataset
from unseg_bench.score.record import SCORING_RULES, CaseScore
from unseg_bench.score.run_scores import ReferenceOf, score_predictions
from unseg_bench.score.table import has_all_columns, read_scores, write_scores


def score_run(run: RunFolder, plugins: Plugins, reporter: Reporter) -> list[CaseScore]:
    """Score a run's predictions and write scores.csv; one that has all scores by the same rules is only read.

    Raises ScoreError when the run has no predictions yet, DataError when a reference is missing or on another grid.
    """
    record = run.record
    same_rules = record.get("state") == "complete" and record.get("scoring_rules") == SCORING_RULES
    if same_rules and has_all_columns(run.scores):
        return read_scores(run.scores)
    if record.get("state") not in {"predicted", "complete"}:
        raise ScoreError(f"{run.path}: not all cases are segmented; run the same command again, then score")
    cases: list[str] = record["cases"]
    scores = score_predictions(
        {case_id: run.prediction(case_id) for case_id in cases},
        _references(run, plugins),
        workers=os.cpu_count() or 1,
        progress=_steps(reporter, len(cases)),
    )
    write_scores(run.scores, scores)
    run.update({"state": "complete", "scoring_rules": SCORING_RULES})
    return scores


def _references(run: RunFolder, plugins: Plugins) -> ReferenceOf:
    """Return the function that opens a case's reference through the one door."""
    settings = run.record["settings"]
    dataset = make_dataset(plugins.dataset(settings["dataset"]), settings["dataset_options"])
    store = PreparedStore(cache_dir() / "prepared")

    def read(case_id: str) -> tuple[Mask, NDArray[np.float64]]:
        return read_reference(dataset, case_id, store.prepare(case_id, dataset.image(case_id)).grid)

    return read


def _steps(reporter: Reporter, total: int) -> Callable[[CaseScore], None]:
    done = 0

    def step(score: CaseScore) -> None:
        nonlocal done
        done += 1
        reporter.step(done, total, score.case)

    return step
