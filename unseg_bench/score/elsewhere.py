"""Predictions made elsewhere: masks in a folder in, a run like any other out, of whose labels nothing is known."""

import re
import shutil
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from unseg_bench.data.atomic import make_folder, room_on_disk, set_mode, sync_folder
from unseg_bench.data.content import Content
from unseg_bench.data.digests import file_digest
from unseg_bench.data.labels import read_reference
from unseg_bench.data.nifti import NiftiGrid, write_mask
from unseg_bench.data.paths import cache_dir
from unseg_bench.data.splits import PARTS, Split
from unseg_bench.data.store import PreparedStore, build_cohort
from unseg_bench.errors import DataError, RunError, SettingsError, UbenchError
from unseg_bench.plugins.dataset import Dataset
from unseg_bench.plugins.digests import digest_of
from unseg_bench.plugins.manager import Plugins
from unseg_bench.plugins.metric import Metric
from unseg_bench.run.case_names import CaseNames
from unseg_bench.run.facts import finds_nothing, first_facts, utc_now
from unseg_bench.run.folder import RunFolder, find_runs
from unseg_bench.run.identity import SEGMENTED, Inputs, refuse_changed_image, refuse_changed_images
from unseg_bench.run.made import note_made, replaced_in
from unseg_bench.run.progress import Reporter, timed_stage
from unseg_bench.run.settings import RunSettings, make_dataset
from unseg_bench.score.doubts import doubts_of, without_reference
from unseg_bench.score.foreign_mask import MaskReader
from unseg_bench.score.intact import note_scored
from unseg_bench.score.matching import Matching, match_files
from unseg_bench.score.metrics import plugin_metrics
from unseg_bench.score.predictions import score_predictions
from unseg_bench.score.record import SCORING_RULES, CaseScore
from unseg_bench.score.scoring import reference_file, score_run, unscored_facts
from unseg_bench.score.table import write_scores
from unseg_bench.words import first_of

UNKNOWN = "unknown"
"""The supervision of predictions made elsewhere."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}")


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """What is known of predictions made elsewhere.

    name: the row in tables; pattern: where the case id stands in file names (`match_files`); labels: the values that
    are tumour (None: all above 0); threshold: of probabilities, tumour is above it; label_use: what the makers say.
    """

    folder: Path
    name: str
    pattern: str | None = None
    labels: tuple[int, ...] | None = None
    threshold: float | None = None
    allow_missing: bool = False
    label_use: str | None = None


@dataclass(frozen=True, slots=True)
class ScoredElsewhere:
    """The run that came of it; `known`: the very same files were scored under this name before."""

    run: RunFolder
    scores: list[CaseScore]
    matching: Matching
    known: bool


@dataclass(frozen=True, slots=True)
class _Plan:
    """Checked names: which files become which run of which data. `bare`: the cases that have no reference."""

    asked: Elsewhere
    settings: RunSettings
    dataset: Dataset
    split: Split
    matching: Matching
    sources: dict[str, dict[str, str]]
    inputs: Inputs
    bare: tuple[str, ...]
    metrics: tuple[Metric, ...]
    run: RunFolder

    @property
    def case_ids(self) -> tuple[str, ...]:
        """The cases of the part that is scored."""
        return self.split.part(self.settings.part)


def score_elsewhere(
    asked: Elsewhere, settings: RunSettings, plugins: Plugins, runs_folder: Path, reporter: Reporter
) -> ScoredElsewhere:
    """Check all files, write them as uint8 masks on their images' grids, score them; a complete run or nothing at all.

    `settings` names data set, part and seed. Raises a UbenchError naming the files and the remedy: a name that is taken
    or unsafe, files that fit no case or two, cases without a file, masks on another grid or without clear labels.
    """
    plan = _plan(asked, settings, plugins, runs_folder)
    reporter.run_begins(f"{asked.name} (made elsewhere), seed {settings.seeds[0]}")
    known, made_again = plan.run.state == "complete", False
    if known and (replaced := replaced_in(plan.run, plan.matching.files)):
        reporter.message(f"the masks of {first_of(replaced)} in {plan.run.path} are not those that were scored")
        known, made_again = False, True
    if known:
        if asked.label_use is not None:
            plan.run.update({"label_use": asked.label_use})
        scores = score_run(plan.run, plan.dataset, reporter, strict=True)
    else:
        scores = _make_run(plan, reporter, replace=made_again)
    return ScoredElsewhere(plan.run, scores, plan.matching, known)


def _plan(asked: Elsewhere, settings: RunSettings, plugins: Plugins, runs_folder: Path) -> _Plan:
    _check_name(asked.name, plugins, runs_folder)
    if asked.labels is not None and asked.threshold is not None:
        raise SettingsError("--labels is for label maps, --threshold for probabilities; give one of them")
    dataset_class = plugins.dataset(settings.dataset)
    dataset = make_dataset(dataset_class, settings.dataset_options, allow_missing=asked.allow_missing)
    split = dataset.split()
    case_ids = split.part(settings.part)
    if not case_ids:
        raise DataError(f"data set '{dataset.name}': the part '{settings.part}' of its split has no cases")
    matching = match_files(asked.folder, case_ids, (*split.case_ids, *dataset.healthy()), asked.pattern)
    _check_missing(matching, asked, settings.part)
    sources = {case: _source(asked.folder, path) for case, path in matching.files.items()}
    content = Content(dataset)
    images = content.images(case_ids)
    key = {
        "files": {case: source["sha256"] for case, source in sources.items()},
        "labels": asked.labels,
        "threshold": asked.threshold,
        "dataset": dataset.identity(),
        "split": [list(split.part(part)) for part in PARTS],
        "part": settings.part,
        "references": content.references(matching.files),
    }
    inputs = Inputs(digest_of(key), images, {SEGMENTED: digest_of(images)})
    name = f"{asked.name}-seed{settings.seeds[0]}-{inputs.digest[:8]}"
    bare = tuple(without_reference(dataset, tuple(matching.files)))
    if len(bare) == len(matching.files):
        raise DataError(f"the data set '{dataset.name}' has no reference mask for any of these cases: --reference GLOB")
    run = RunFolder(runs_folder / dataset.name / name)
    return _Plan(asked, settings, dataset, split, matching, sources, inputs, bare, plugin_metrics(plugins), run)


def _make_run(plan: _Plan, reporter: Reporter, *, replace: bool) -> list[CaseScore]:
    """Build the run beside its place and move it there when it is whole; `replace`: the one that is there goes."""
    started = utc_now()
    with _folder_beside(plan.run.path) as folder:
        built = RunFolder(folder)
        with timed_stage(reporter, "check"):
            store = PreparedStore(cache_dir() / "prepared")
            cohort = build_cohort(plan.settings.part, plan.case_ids, plan.dataset, store, reporter.step)
            refuse_changed_images(plan.inputs, plan.dataset, {SEGMENTED: cohort})
            prepared = {case: store.prepare(case, plan.dataset.image(case)) for case in plan.matching.files}
            grids = {case: one.grid for case, one in prepared.items()}
            file_doubts = _take_over(plan, grids, built, reporter)
            for case, one in prepared.items():
                refuse_changed_image(one, cohort.digests[case])
                note_made(built, plan.inputs.images[case], one)
        with timed_stage(reporter, "score"):
            scores, score_doubts = _score(plan, grids, built, reporter)
        write_scores(built.scores, scores)
        note_scored(built, {score.case: reference_file(plan.dataset, score.case) for score in scores})
        found = {
            "images": {"test": CaseNames().hide(cohort).digest},
            "all_empty": finds_nothing(built, tuple(plan.matching.files)),
            "doubts": score_doubts,
            "unscored": unscored_facts(
                plan.matching.missing,
                lambda case: read_reference(plan.dataset, case, store.prepare(case, plan.dataset.image(case)).grid),
            ),
        }
        ended = utc_now()
        built.update({**_record(plan, file_doubts), **found, "started": started, "ended": ended, "last_asked": ended})
        _move(folder, plan.run, replace=replace)
    return scores


def _take_over(plan: _Plan, grids: dict[str, NiftiGrid], run: RunFolder, reporter: Reporter) -> list[str]:
    """Write every file's tumour as a mask of the run, and return what is doubtful about the files.

    Raises DataError for the first bad file and counts the others.
    """
    reader = MaskReader(plan.asked.labels, plan.asked.threshold)
    refused: list[UbenchError] = []
    files = plan.matching.files
    for done, (case, path) in enumerate(files.items()):
        reporter.step(done, len(files), case)
        try:
            write_mask(run.prediction(case), reader.read(path, grids[case]), grids[case])
        except DataError as error:
            refused.append(error)
    if refused:
        more = f" ({len(refused)} of {len(files)} files are refused; this is the first)" if len(files) > 1 else ""
        raise DataError(f"{refused[0]}{more}")
    reader.check_labels_seen()
    return reader.doubts()


def _score(
    plan: _Plan, grids: dict[str, NiftiGrid], run: RunFolder, reporter: Reporter
) -> tuple[list[CaseScore], list[str]]:
    """Score the cases that have a reference; returns the scores, and what is doubtful about them."""
    uncounted: set[int] = set()
    scores = score_predictions(
        {case: run.prediction(case) for case in grids if case not in plan.bare},
        lambda case: read_reference(plan.dataset, case, grids[case], uncounted),
        reference_file=partial(reference_file, plan.dataset),
        metrics=plan.metrics,
        progress=reporter.step,
    )
    return scores, doubts_of(scores, uncounted)


def _record(plan: _Plan, file_doubts: Sequence[str]) -> dict[str, Any]:
    """The run's record, of the same form as that of a run made here."""
    asked = plan.asked
    return {
        "state": "complete",
        "method": asked.name,
        "floor": False,
        "supervision": UNKNOWN,
        "made_elsewhere": True,
        "label_use": asked.label_use,
        "preset": "",
        "seed": plan.settings.seeds[0],
        **first_facts(plan.dataset, plan.split, plan.settings, tuple(plan.matching.files)),
        **plan.inputs.facts,
        "missing_cases": list(plan.matching.missing),
        "source": {
            "folder": str(asked.folder.resolve()),
            "pattern": asked.pattern,
            "labels": None if asked.labels is None else list(asked.labels),
            "threshold": asked.threshold,
            "files": plan.sources,
            "doubts": list(file_doubts),
        },
        "without_reference": list(plan.bare),
        "label_reads": [],
        "failed_cases": {},
        "error": None,
        "scoring_rules": SCORING_RULES,
        "metrics": {metric.name: metric.facts for metric in plan.metrics},
    }


def _check_name(name: str, plugins: Plugins, runs_folder: Path) -> None:
    """Refuse a name that cannot be a file name, or by which a method that runs here is known."""
    if not _NAME.fullmatch(name) or ".." in name:
        raise SettingsError(
            f"--as {name!r}: cannot be used as a file name; letters, digits, '.', '_', '+' and '-' only, starting with "
            "a letter or digit, at most 64"
        )
    own = {str(run.record["method"]) for run in find_runs(runs_folder) if not run.record.get("made_elsewhere")}
    if name.casefold() in {method.casefold() for method in own | set(plugins.methods)}:
        raise SettingsError(
            f"--as {name}: a method that runs here has this name, so the table would mix the two; "
            f"choose another, such as {name}-elsewhere"
        )


def _check_missing(matching: Matching, asked: Elsewhere, part: str) -> None:
    """Refuse cases without a file, unless that is allowed and there are others."""
    if not matching.missing or (matching.files and asked.allow_missing):
        return
    total = len(matching.files) + len(matching.missing)
    text = (
        f"{asked.folder}: {len(matching.missing)} of {total} cases of the part '{part}' have no file: "
        f"{first_of(matching.missing)}"
    )
    if matching.strangers:
        names = [path.relative_to(asked.folder).as_posix() for path in matching.strangers]
        text += (
            f". Files that fit no case: {first_of(names)}; say where the case id stands in their names: "
            "--pattern 'pred_*.nii.gz'"
        )
    if matching.files:
        text += ". --allow-missing scores the others, and the run says which are missing"
    raise DataError(text)


def _source(folder: Path, path: Path) -> dict[str, str]:
    return {"name": path.relative_to(folder).as_posix(), "sha256": file_digest(path)}


@contextmanager
def _folder_beside(final: Path) -> Generator[Path]:
    """Yield a hidden folder beside `final`, which is gone afterwards, whatever happens."""
    with room_on_disk(final.parent):
        make_folder(final.parent)
        folder = Path(mkdtemp(prefix=".part-", dir=final.parent))
    try:
        set_mode(folder, 0o755)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _move(folder: Path, run: RunFolder, *, replace: bool) -> None:
    """Give a finished folder its name, unless another process was first with the same files.

    `replace`: the run that is there goes.
    """
    aside = Path(mkdtemp(prefix=".part-", dir=run.path.parent)) if replace else None
    if aside is not None:
        run.path.rename(aside / run.path.name)
    try:
        folder.rename(run.path)
    except OSError:
        if run.state != "complete":
            raise RunError(f"{run.path}: is there and holds no complete run; remove it and score again") from None
        return
    sync_folder(run.path.parent)
    if aside is not None:
        shutil.rmtree(aside, ignore_errors=True)
