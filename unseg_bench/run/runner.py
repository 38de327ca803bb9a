"""The runner: settings in, a run folder with predictions out. Labels are not needed here."""

import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from unseg_bench.data.cohort import Cohort
from unseg_bench.data.labels import LabelDoor
from unseg_bench.data.paths import cache_dir
from unseg_bench.data.splits import PARTS, Split
from unseg_bench.data.store import PreparedStore, build_cohort
from unseg_bench.data.volume import Mask, Volume
from unseg_bench.errors import DataError, RunError, UbenchError
from unseg_bench.plugins.dataset import Dataset
from unseg_bench.plugins.manager import Plugins
from unseg_bench.plugins.method import Method, MethodOptions
from unseg_bench.run.context import RunContext
from unseg_bench.run.digests import code_digest, digest_of
from unseg_bench.run.folder import RunFolder
from unseg_bench.run.ledger import Ledger
from unseg_bench.run.locks import hold
from unseg_bench.run.progress import Reporter
from unseg_bench.run.record import first_facts, utc_now
from unseg_bench.run.settings import RunSettings, flatten_options, make_dataset, resolve_methods
from unseg_bench.run.stages import StageCache


@dataclass(frozen=True, slots=True)
class RunPlan:
    """One run, checked and ready: a method with its options on the cases of one part, under one seed.

    `written` is what the user called the method: its name, or the path of its file.
    """

    written: str
    method: type[Method]
    options: MethodOptions
    preset: str
    dataset: Dataset
    split: Split
    settings: RunSettings
    seed: int
    folder: RunFolder

    @property
    def case_ids(self) -> tuple[str, ...]:
        """The cases to segment."""
        return self.split.part(self.settings.part)[: self.settings.limit]

    @property
    def learns(self) -> bool:
        """Whether the method has a `fit` of its own."""
        return self.method.fit is not Method.fit

    @property
    def title(self) -> str:
        """Name for people, e.g. 'clisc (demo), seed 0'."""
        return f"{self.method.name} ({self.preset}), seed {self.seed}"


def plan_runs(settings: RunSettings, plugins: Plugins, runs_folder: Path) -> list[RunPlan]:
    """Check everything that can be checked before computing; raises a UbenchError for any bad input."""
    dataset_class = plugins.dataset(settings.dataset)
    methods = {written: plugins.method(written) for written in settings.methods}
    resolved = resolve_methods(methods, settings, dataset_class.default_preset)
    dataset = make_dataset(dataset_class, settings.dataset_options)
    split = dataset.split()
    plans: list[RunPlan] = []
    for written, method in methods.items():
        choice = resolved[written]
        for seed in settings.seeds:
            name = _run_name(method, choice.preset, choice.options, dataset, split, settings, seed)
            folder = RunFolder(runs_folder / dataset.name / name)
            plan = RunPlan(written, method, choice.options, choice.preset, dataset, split, settings, seed, folder)
            _check_parts(plan)
            plans.append(plan)
    return plans


def describe(plan: RunPlan) -> dict[str, Any]:
    """Say what a run would do, without doing it (for `--dry-run`)."""
    done = sum(plan.folder.prediction(case_id).is_file() for case_id in plan.case_ids)
    return {
        "run": str(plan.folder.path),
        "state": plan.folder.state,
        "method": plan.method.name,
        "preset": plan.preset,
        "seed": plan.seed,
        "dataset": plan.dataset.name,
        "split": plan.split.name,
        "cases": {part: len(plan.split.part(part)) for part in PARTS},
        "to_segment": len(plan.case_ids),
        "segmented": done,
        "options": plan.options.model_dump(mode="json"),
    }


def execute(plan: RunPlan, reporter: Reporter, *, force: bool = False) -> RunFolder:
    """Fit and segment; goes on where an earlier call stopped, and returns at once when all predictions are there.

    `force` does it all again, stages included. Raises RunError when cases failed or nothing can be learned.
    """
    with hold(plan.folder.path / "run.lock", reporter.message):
        if plan.folder.state in {"predicted", "complete"} and not force:
            return plan.folder
        reporter.run_begins(plan.title)
        _begin(plan)
        try:
            _fit_and_segment(plan, reporter, force=force)
        except UbenchError as error:
            plan.folder.update({"state": "failed", "error": str(error)})
            raise
        plan.folder.update({"state": "predicted", "ended": utc_now()})
    return plan.folder


def _fit_and_segment(plan: RunPlan, reporter: Reporter, *, force: bool) -> None:
    ledger = Ledger(plan.folder)
    store = PreparedStore(cache_dir() / "prepared")
    reporter.stage_begins("prepare")
    started = time.monotonic()
    cohort = partial(build_cohort, dataset=plan.dataset, store=store, progress=reporter.step)
    parts = {part: plan.split.part(part) if plan.learns else () for part in ("train", "valid")}
    training, validation = (cohort(name, ids) for name, ids in parts.items())
    test = cohort(plan.settings.part, plan.case_ids)
    reporter.stage_ends("prepare", time.monotonic() - started, cached=False)
    plan.folder.update({"images": {"train": training.digest, "valid": validation.digest, "test": test.digest}})
    method = plan.method(plan.options)
    context = RunContext(
        folder=plan.folder,
        seed=plan.seed,
        device=plan.settings.device,
        offline=plan.settings.offline,
        cache=StageCache(cache_dir() / "stages"),
        labels=LabelDoor(plan.dataset, plan.split, method.supervision, store, ledger.add),
        ledger=ledger,
        healthy=lambda: cohort("healthy", plan.dataset.healthy()),
        reporter=reporter,
        refresh=force,
    )
    if plan.learns:
        _fit(plan, method, training, validation, context)
    _segment_all(plan, method, test, store, context, reporter, again=force)


def _fit(plan: RunPlan, method: Method, training: Cohort, validation: Cohort, context: RunContext) -> None:
    try:
        method.fit(training, validation, context)
    except UbenchError:
        raise
    except Exception as error:
        raise RunError(f"{plan.title}: fit failed with {type(error).__name__}: {error}") from error


def _segment_all(
    plan: RunPlan,
    method: Method,
    test: Cohort,
    store: PreparedStore,
    context: RunContext,
    reporter: Reporter,
    *,
    again: bool,
) -> None:
    reporter.stage_begins("segment")
    started = time.monotonic()
    failed: dict[str, str] = {}
    for index, case_id in enumerate(test.case_ids):
        if again or not plan.folder.prediction(case_id).is_file():
            try:
                mask = _checked(method.segment(test[case_id], context), test[case_id], plan.method.name)
            except Exception as error:  # noqa: BLE001 - a method may raise anything; the other cases go on
                failed[case_id] = f"{type(error).__name__}: {error}"
                plan.folder.log("case failed", {"case": case_id, "error": failed[case_id]})
            else:
                prepared = store.prepare(case_id, plan.dataset.image(case_id))
                prepared.write_prediction(plan.folder.prediction(case_id), mask)
                plan.folder.log("case", {"case": case_id, "voxels": int(np.count_nonzero(mask))})
        reporter.step(index + 1, len(test), case_id)
    reporter.stage_ends("segment", time.monotonic() - started, cached=False)
    plan.folder.update({"failed_cases": failed})
    if failed:
        case_id, reason = next(iter(failed.items()))
        raise RunError(
            f"{plan.title}: {len(failed)} of {len(test)} cases failed, first {case_id} ({reason}); "
            "the same command tries those again"
        )


def _checked(mask: Mask, volume: Volume, name: str) -> Mask:
    if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_ or mask.shape != volume.shape:  # pyright: ignore[reportUnnecessaryIsInstance]
        found = f"{mask.dtype} of shape {mask.shape}" if isinstance(mask, np.ndarray) else type(mask).__name__  # pyright: ignore[reportUnnecessaryIsInstance]
        raise RunError(f"{name}.segment must return a bool array of shape {volume.shape}, not {found}")
    return mask


def _begin(plan: RunPlan) -> None:
    record = plan.folder.record
    settings = plan.settings.model_copy(
        update={"methods": (plan.written,), "set": flatten_options(plan.options), "seeds": (plan.seed,)}
    )
    plan.folder.update(
        {
            "state": "started",
            "method": plan.method.name,
            "floor": plan.method.floor,
            "supervision": str(plan.method(plan.options).supervision),
            "preset": plan.preset,
            "seed": plan.seed,
            **first_facts(plan.dataset, plan.split, settings, plan.case_ids),
            "started": record.get("started", utc_now()),
            "label_reads": record.get("label_reads", []),
            "error": None,
        }
    )


def _check_parts(plan: RunPlan) -> None:
    if not plan.case_ids:
        raise DataError(f"data set '{plan.dataset.name}': the part '{plan.settings.part}' of its split has no cases")
    if plan.learns and not plan.split.train:
        raise DataError(
            f"{plan.method.name} learns from training images, but the split '{plan.split.name}' of data set "
            f"'{plan.dataset.name}' has none; choose another split"
        )


def _run_name(
    method: type[Method],
    preset: str,
    options: MethodOptions,
    dataset: Dataset,
    split: Split,
    settings: RunSettings,
    seed: int,
) -> str:
    key = {
        "code": code_digest(method.__module__),
        "options": options.model_dump(mode="json"),
        "dataset": dataset.identity(),
        "split": [list(split.part(part)) for part in PARTS],
        "part": settings.part,
        "limit": settings.limit,
    }
    return f"{method.name}-{preset}-seed{seed}-{digest_of(key)[:8]}"
