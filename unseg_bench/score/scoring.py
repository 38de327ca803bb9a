"""Scoring of a run: its folder with predictions in, `scores.csv` beside them out."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unseg_bench.data.labels import read_reference
from unseg_bench.data.locks import hold
from unseg_bench.data.paths import cache_dir
from unseg_bench.data.store import PreparedStore
from unseg_bench.data.volume import Mask
from unseg_bench.errors import DataError, ScoreError, UbenchError
from unseg_bench.plugins.dataset import Dataset
from unseg_bench.plugins.manager import load_plugins
from unseg_bench.plugins.metric import Metric
from unseg_bench.run.facts import utc_now
from unseg_bench.run.folder import SCORED, RunFolder
from unseg_bench.run.progress import Reporter
from unseg_bench.score.alternatives import score_alternatives
from unseg_bench.score.case import score_case
from unseg_bench.score.doubts import doubts_of, without_reference
from unseg_bench.score.intact import check_files, note_scored
from unseg_bench.score.metrics import plugin_metrics
from unseg_bench.score.predictions import ReferenceOf, score_predictions
from unseg_bench.score.record import SCORING_RULES, CaseScore
from unseg_bench.score.table import read_scores, write_scores


def score_run(run: RunFolder, dataset: Dataset, reporter: Reporter, *, strict: bool = False) -> list[CaseScore]:
    """Score a run's predictions against the data set's references and write scores.csv.

    One that has all scores, by the same rules and metrics, of the very predictions and references that there are, is
    only read; else `reporter` hears what is another one. Either way the run counts as the newest. A case without a
    reference is named in the run's `without_reference`. One that cannot be scored is left out and joins its
    `failed_cases`, unless `strict` is set or it is so of all cases. Raises then what was wrong with the first one,
    ScoreError when the run has no predictions yet, and PluginError for a plugin's metric whose name is taken.
    """
    metrics = plugin_metrics(load_plugins())
    with hold(run.path / "run.lock", reporter.message):
        record = run.record
        if record.get("state") not in {"predicted", *SCORED}:
            raise ScoreError(f"{run.path}: not all cases are segmented; run the same command again, then score")
        if record["state"] == "complete":
            scores, outdated = _known(run, record, dataset, metrics)
            if not outdated:
                run.update({"last_asked": utc_now()})
                return scores
            reporter.message(f"scored again, since there is {'; '.join(outdated)}")
        return _score(run, record, dataset, metrics, reporter, strict=strict)


def _known(
    run: RunFolder, record: Mapping[str, Any], dataset: Dataset, metrics: Sequence[Metric]
) -> tuple[list[CaseScore], tuple[str, ...]]:
    """Return the scores of a complete run, and why they do not hold today."""
    if record.get("scoring_rules") != SCORING_RULES:
        return [], ("another scoring rule",)
    if changed := [one.name for one in metrics if record.get("metrics", {}).get(one.name) != one.facts]:
        return [], (f"a metric that is new or another: {', '.join(changed)}",)
    try:
        scores = read_scores(run.scores)
    except ScoreError:
        return [], ("no readable scores.csv",)
    bare = record.get("without_reference", [])
    if set(bare) != set(without_reference(dataset, bare)):
        return scores, ("a reference for a case that had none",)
    if not all(score.tumour_sha256 for score in scores):
        return scores, ("no digest beside the scores",)
    return scores, check_files(run, scores, _files_there(dataset, [score.case for score in scores])).wrong


def reference_file(dataset: Dataset, case_id: str) -> Path:
    """Return the file of a case's reference; raises DataError where it has none."""
    reference = dataset.reference(case_id)
    if reference is None:
        raise DataError(f"the data set '{dataset.name}' has no reference mask for case {case_id}; it cannot be scored")
    return reference.path


def _files_there(dataset: Dataset, case_ids: Iterable[str]) -> dict[str, Path]:
    """Return the file of each case's reference, of those that are there."""
    files: dict[str, Path] = {}
    for case_id in case_ids:
        with suppress(DataError):
            files[case_id] = reference_file(dataset, case_id)
    return files


def _score(
    run: RunFolder,
    record: Mapping[str, Any],
    dataset: Dataset,
    metrics: Sequence[Metric],
    reporter: Reporter,
    *,
    strict: bool,
) -> list[CaseScore]:
    bare = without_reference(dataset, record["cases"])
    if len(bare) == len(record["cases"]):
        raise ScoreError(f"{run.path}: the data set '{dataset.name}' has no reference mask for any of its cases")
    cases = [case_id for case_id in record["cases"] if case_id not in bare and run.prediction(case_id).is_file()]
    unscored: dict[str, UbenchError] = {}
    uncounted: set[int] = set()
    references, file_of = _references(dataset, uncounted), partial(reference_file, dataset)
    scores = score_predictions(
        {case_id: run.prediction(case_id) for case_id in cases},
        references,
        reference_file=file_of,
        metrics=metrics,
        progress=reporter.step,
        leave_out=None if strict else unscored.__setitem__,
    )
    if not scores and unscored:
        raise next(iter(unscored.values()))
    failed = {case_id: reason for case_id, reason in run.failed_cases.items() if case_id not in cases}
    failed |= {case_id: f"{type(error).__name__}: {error}" for case_id, error in unscored.items()}
    absent = [case_id for case_id in record.get("missing_cases", []) if case_id not in record["cases"]]
    score_alternatives(run, [score.case for score in scores], references, file_of, reporter)
    write_scores(run.scores, scores)
    note_scored(run, {score.case: file_of(score.case) for score in scores})
    options = dataset.options.model_dump(mode="json")
    run.update(
        {
            "settings": {**record["settings"], "dataset_options": options},
            "state": "partial" if failed else "complete",
            "failed_cases": failed,
            "missing_cases": [*absent, *(case_id for case_id in record["cases"] if case_id in failed)],
            "unscored": unscored_facts([*absent, *failed], references),
            "without_reference": bare,
            "doubts": doubts_of(scores, uncounted),
            "scoring_rules": SCORING_RULES,
            "metrics": {metric.name: metric.facts for metric in metrics},
            "last_asked": utc_now(),
        }
    )
    return scores


def _references(dataset: Dataset, uncounted: set[int]) -> ReferenceOf:
    """Return the function that opens a case's reference by `data.labels`, and notes labels that do not count."""
    store = PreparedStore(cache_dir() / "prepared")

    def read(case_id: str) -> tuple[Mask, NDArray[np.float64]]:
        return read_reference(dataset, case_id, store.prepare(case_id, dataset.image(case_id)).grid, uncounted)

    return read


def unscored_facts(cases: Iterable[str], reference_of: ReferenceOf) -> dict[str, dict[str, float]]:
    """Return the tumour's volume (ml) and the grid's diagonal (mm) by case; nothing for a reference that is unreadable.

    These go into the run's record as `unscored`, for tables in which a missing case counts: a comparison opens no
    image.
    """
    facts: dict[str, dict[str, float]] = {}
    for case in cases:
        try:
            reference, affine = reference_of(case)
        except UbenchError:
            continue
        x, y, z = np.linalg.norm(affine[:3, :3], axis=0).tolist()
        score = score_case(np.zeros_like(reference), reference, (x, y, z), case=case)
        facts[case] = {"tumour_ml": score.tumour_ml, "diagonal_mm": score.diagonal_mm}
    return facts
