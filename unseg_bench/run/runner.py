"""The runner: a plan in, a run folder with predictions out. Labels are not needed here."""

import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np

from unseg_bench.data.cohort import Cohort
from unseg_bench.data.labels import LabelDoor
from unseg_bench.data.paths import cache_dir
from unseg_bench.data.store import PreparedStore, build_cohort
from unseg_bench.data.supervision import Supervision
from unseg_bench.errors import RunError, UbenchError
from unseg_bench.run.context import RunContext
from unseg_bench.run.desk import StageDesk
from unseg_bench.run.determinism import deterministic
from unseg_bench.run.empty import finds_nothing
from unseg_bench.run.failures import Failures
from unseg_bench.run.folder import RunFolder
from unseg_bench.run.handover import Handover
from unseg_bench.run.identity import SEGMENTED, refuse_changed_image, refuse_changed_images
from unseg_bench.run.ledger import Ledger
from unseg_bench.run.locks import hold
from unseg_bench.run.made import forget_unfounded, note_made
from unseg_bench.run.mask_sources import MaskSources, forget_outdated
from unseg_bench.run.performers import Images, InProcess, Performer
from unseg_bench.run.plan import RunPlan
from unseg_bench.run.progress import Hushable, Reporter
from unseg_bench.run.record import first_facts, utc_now
from unseg_bench.run.sealed.inspection import load_method
from unseg_bench.run.sealed.performer import Sealed
from unseg_bench.run.sealed.sealing import SEALED, add_seal, obstacle
from unseg_bench.run.stages import StageCache
from unseg_bench.sandbox.process import NotSealed, ProcessLost


def execute(
    plan: RunPlan, reporter: Reporter, *, force: bool = False, strict: bool = False, made: set[Path] | None = None
) -> RunFolder:
    """Fit and segment; goes on where an earlier call stopped, and returns at once when all predictions are there.

    A case that cannot be read or segmented is left out and named in the run's `failed_cases`: the next call tries it
    again. All are segmented again when a mask of another run that went into this one has changed. `force` does it all
    again, stages included but for those in `made`, the folders of results that this call's earlier runs made again.
    Raises RunError when nothing can be learned, when all cases failed, and with `strict` at the first that does.
    """
    with hold(plan.folder.path / "run.lock", reporter.message):
        if forget_outdated(plan):
            reporter.message(f"{plan.title}: masks that it was given have changed, so all cases are segmented again")
        if unfounded := forget_unfounded(plan.folder, plan.dataset, plan.inputs.images):
            reporter.message(f"{plan.title}: {unfounded}")
        if plan.is_done and not force:
            _insist(plan)
            return plan.folder
        reporter.run_begins(plan.title)
        _begin(plan)
        try:
            _fit_and_segment(
                plan, reporter, strict=strict, refresh=(set() if made is None else made) if force else None
            )
        except UbenchError as error:
            plan.folder.update({"state": "failed", "error": str(error)})
            raise
        empty = finds_nothing(plan.folder, plan.case_ids)
        plan.folder.update({"state": "predicted", "ended": utc_now(), "all_empty": empty})
        if plan.settings.keep_maps and not (plan.folder.path / "maps").is_dir():
            reporter.message(f"{plan.title}: the method hands over no maps, so none are kept")
    return plan.folder


def _fit_and_segment(plan: RunPlan, reporter: Reporter, *, strict: bool, refresh: set[Path] | None) -> None:
    force = refresh is not None
    store = PreparedStore(cache_dir() / "prepared")
    cohorts = partial(build_cohort, dataset=plan.dataset, store=store, progress=reporter.step)
    reporter.stage_begins("prepare")
    started = time.monotonic()
    training, validation = (cohorts(part, plan.learned_from(part)) for part in ("train", "valid"))
    failures = Failures(plan, strict=strict)
    images = Images(training, validation, cohorts(plan.settings.part, plan.case_ids, leave_out=failures.add))
    failures.require_some(images.test)
    by_use = {"train": training, "valid": validation, SEGMENTED: images.test}
    refuse_changed_images(plan.inputs, plan.dataset, by_use)
    reporter.stage_ends("prepare", time.monotonic() - started, cached=False)
    digests = {use: cohort.digest for use, cohort in by_use.items()}
    _forget_another_models_predictions(plan, digests)
    plan.folder.update({"images": digests})
    inner = Hushable(reporter)
    handover = Handover(plan.folder, keep_maps=plan.settings.keep_maps)
    with _performer(plan, images, store, handover, inner, refresh=refresh) as performer:
        add_seal(plan.folder, performer.evidence(), anew=force)
        try:
            if plan.method.learns:
                performer.fit()
            if plan.method.looks_ahead:
                performer.expect()
            with inner.hushed():
                _segment_all(plan, performer, images.test, store, handover, reporter, failures, again=force)
        finally:
            add_seal(plan.folder, performer.evidence())


@contextmanager
def _performer(
    plan: RunPlan,
    images: Images,
    store: PreparedStore,
    handover: Handover,
    reporter: Reporter,
    *,
    refresh: set[Path] | None,
) -> Generator[Performer]:
    """Give a sealed process where the method declares no supervision and the kernel can; else this process."""
    ledger = Ledger(plan.folder)
    labels = LabelDoor(plan.dataset, plan.split, plan.method.supervision, store, ledger.add)
    masks = MaskSources(plan, store, ledger)

    def healthy() -> Cohort:
        cohort = build_cohort("healthy", plan.dataset.healthy(), plan.dataset, store, reporter.step)
        refuse_changed_images(plan.inputs, plan.dataset, {"healthy": cohort})
        plan.folder.update({"images": {**plan.folder.record.get("images", {}), "healthy": cohort.digest}})
        return cohort

    reason = obstacle(plan.method.supervision, plan.settings.sealed)
    if reason is None:
        try:
            sealed = Sealed(plan, images, store, ledger, labels, masks, handover, healthy, reporter, refresh=refresh)
        except NotSealed as error:
            reason = str(error)
        else:
            with sealed:
                yield sealed
            return
    if plan.settings.sealed == "required" and plan.method.supervision is Supervision.NONE:
        raise RunError(f"{plan.title}: cannot be sealed: {reason}. Without --sealed required it runs as 'ledger'")
    method = plan.loaded or load_method(plan.method.where)
    context = RunContext(
        folder=plan.folder,
        seed=plan.seed,
        device=plan.settings.device,
        offline=plan.settings.offline,
        desk=StageDesk(StageCache(cache_dir() / "stages"), plan.folder, ledger, reporter, refresh=refresh),
        labels=labels,
        masks=masks,
        handover=handover,
        healthy=healthy,
        reporter=reporter,
    )
    with deterministic(plan.settings.deterministic):
        yield InProcess(plan, method(method.Options.model_validate(plan.method.options)), images, context, reason)


def _insist(plan: RunPlan) -> None:
    """Raise RunError when a seal is required and the finished run was made without one."""
    mode = plan.folder.record.get("seal", {}).get("mode")
    if plan.settings.sealed == "required" and plan.method.supervision is Supervision.NONE and mode != SEALED:
        raise RunError(f"{plan.title}: finished before, but not sealed; --force runs it again, sealed")


def _segment_all(
    plan: RunPlan,
    performer: Performer,
    test: Cohort,
    store: PreparedStore,
    handover: Handover,
    reporter: Reporter,
    failures: Failures,
    *,
    again: bool,
) -> None:
    reporter.stage_begins("segment")
    started = time.monotonic()
    for index, case_id in enumerate(test.case_ids):
        if again or not plan.is_segmented(case_id):
            try:
                prepared = store.prepare(case_id, plan.dataset.image(case_id))
                refuse_changed_image(prepared, test)
                with handover.case(prepared):
                    mask = performer.segment(case_id)
            except ProcessLost:
                raise
            except Exception as error:  # noqa: BLE001 - a method may raise anything; the other cases go on
                failures.add(case_id, error)
            else:
                prepared.write_prediction(plan.folder.prediction(case_id), mask)
                note_made(plan.folder, plan.inputs.images[case_id], prepared)
                plan.folder.log("case", {"case": case_id, "voxels": int(np.count_nonzero(mask))})
        reporter.step(index + 1, len(test), case_id)
    reporter.stage_ends("segment", time.monotonic() - started, cached=False)
    failures.require_some(test)


def _forget_another_models_predictions(plan: RunPlan, digests: Mapping[str, str]) -> None:
    """Remove the predictions of an earlier call that learned from other images than today's."""
    before: dict[str, str] = plan.folder.record.get("images", {})
    if any(before.get(part, digests[part]) != digests[part] for part in ("train", "valid")):
        for case_id in plan.case_ids:
            plan.folder.forget_case(case_id)


def _begin(plan: RunPlan) -> None:
    record = plan.folder.record
    settings = plan.settings.model_copy(
        update={"methods": (plan.written,), "set": plan.method.flat, "seeds": (plan.seed,)}
    )
    plan.folder.update(
        {
            "state": "started",
            "method": plan.method.name,
            "floor": plan.method.floor,
            "ceiling": plan.method.ceiling,
            "supervision": str(plan.method.supervision),
            "preset": plan.preset,
            "differs": plan.method.differs,
            "seed": plan.seed,
            **first_facts(plan.dataset, plan.split, settings, plan.case_ids),
            "started": record.get("started", utc_now()),
            **plan.inputs.facts,
            "label_reads": record.get("label_reads", []),
            "error": None,
        }
    )
