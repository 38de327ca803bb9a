"""The runner: a plan in, a run folder with predictions out. Labels are not needed here."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial

import numpy as np

from unseg_bench.data.cohort import Cohort
from unseg_bench.data.locks import hold
from unseg_bench.data.paths import cache_dir
from unseg_bench.data.store import PreparedStore, build_cohort
from unseg_bench.errors import RunError, UbenchError
from unseg_bench.plugins.determinism import explain_failure
from unseg_bench.plugins.device import Device, settle_device
from unseg_bench.plugins.history import SEALED
from unseg_bench.run.case_names import CaseNames
from unseg_bench.run.case_outputs import CaseOutputs
from unseg_bench.run.confidence import write_confidences
from unseg_bench.run.facts import failed_text, finds_nothing, first_facts, note_peak, utc_now
from unseg_bench.run.folder import RunFolder
from unseg_bench.run.host import RunHost
from unseg_bench.run.identity import SEGMENTED, refuse_changed_image, refuse_changed_images
from unseg_bench.run.ledger import Ledger
from unseg_bench.run.made import forget_unfounded, note_made
from unseg_bench.run.mask_sources import forget_outdated
from unseg_bench.run.plan import RunPlan
from unseg_bench.run.progress import Reporter, timed_stage
from unseg_bench.run.session.seal import mode_of
from unseg_bench.run.session.session import Session, open_session
from unseg_bench.sandbox.process import ProcessLost
from unseg_bench.sandbox.wire import kind_of


class Failures:
    """The failed cases of a run and why, in run.json (`failed_cases`) at once. With `strict` the first one ends it."""

    def __init__(self, plan: RunPlan, *, strict: bool) -> None:
        self._plan, self._strict = plan, strict
        self._reasons: dict[str, str] = {}
        self._first: Exception | None = None
        plan.folder.update({"failed_cases": {}})

    def add(self, case_id: str, error: Exception, restore: Callable[[str], str] = str) -> None:
        """Write a case down and why, with ids that `restore` makes real; raises RunError where the run is strict."""
        self._reasons[case_id] = restore(explain_failure(kind_of(error), error))
        self._first = self._first or error
        self._plan.folder.log("case failed", {"case": case_id, "error": self._reasons[case_id]})
        self._plan.folder.update({"failed_cases": self._reasons})
        if self._strict:
            raise RunError(f"{self._plan.title}: case {case_id} failed ({self._reasons[case_id]}); --strict ends here")

    def require_some(self) -> None:
        """Raise what was wrong with the first case when no case of the run is left."""
        if len(self._reasons) < len(self._plan.case_ids) or self._first is None:
            return
        if isinstance(self._first, UbenchError):
            raise self._first
        raise RunError(failed_text(self._plan.title, self._reasons, len(self._plan.case_ids))) from self._first


def execute(plan: RunPlan, reporter: Reporter, *, strict: bool = False, since: float | None = None) -> RunFolder:
    """Fit and segment; goes on where an earlier call stopped, and returns at once when all predictions are there.

    A case that cannot be read or segmented is left out and named in the run's `failed_cases`: the next call tries it
    again. All are segmented again when a mask of another run that went into this one has changed. `since`, in seconds
    since 1970, does it all again: results of stages from before are stale, and so is the run. Raises RunError when
    nothing can be learned, when all cases failed, and with `strict` at the first that does.
    """
    with hold(plan.folder.path / "run.lock", reporter.message):
        if forget_outdated(plan):
            reporter.message(f"{plan.title}: masks that it was given have changed, so all cases are segmented again")
        if unfounded := forget_unfounded(plan.folder, plan.dataset, plan.inputs.images):
            reporter.message(f"{plan.title}: {unfounded}")
        if plan.is_done and since is None:
            _insist(plan)
            return plan.folder
        device = settle_device(plan.settings.device)
        reporter.run_begins(f"{plan.title}, on {device.text}")
        _begin(plan, device, reporter)
        try:
            _fit_and_segment(plan, reporter, strict=strict, since=since)
        except UbenchError as error:
            plan.folder.update({"state": "failed", "error": str(error)})
            raise
        plan.folder.forget_partials()
        write_confidences(plan.folder)
        empty = finds_nothing(plan.folder, plan.case_ids)
        plan.folder.update({"state": "predicted", "ended": utc_now(), "all_empty": empty})
        if plan.settings.keep_maps and not (plan.folder.path / "maps").is_dir():
            reporter.message(f"{plan.title}: the method hands over no maps, so none are kept")
    return plan.folder


def _fit_and_segment(plan: RunPlan, reporter: Reporter, *, strict: bool, since: float | None) -> None:
    store, names = PreparedStore(cache_dir() / "prepared"), CaseNames()
    failures = Failures(plan, strict=strict)
    training, validation, test = _prepare(plan, store, names, failures, reporter)
    mode, reason = mode_of(from_file=plan.loaded is None, asked=plan.settings.sealed, name=plan.title)
    ledger = Ledger(plan.folder, anew=since is not None)
    if since is not None:
        plan.folder.forget_partials()
    ledger.set_seal({"mode": mode, "reason": reason})
    if not _has_earlier_work(plan):
        ledger.forget_earlier()
    outputs = CaseOutputs(plan.folder, keep_maps=plan.settings.keep_maps)
    host = RunHost(plan, mode, store, names, ledger, outputs, reporter, since=since)
    with open_session(plan, host, mode, reason) as session, ExitStack() as at_the_end:
        ledger.set_seal(session.evidence())
        at_the_end.callback(lambda: ledger.set_seal(session.evidence()))
        if plan.method.learns:
            session.fit(training, validation)
        if plan.method.looks_ahead:
            session.expect(test)
        if since is not None:
            for case_id in plan.case_ids:
                plan.folder.forget_case(case_id)
            ledger.forget_earlier()
        host.hushed = True
        with timed_stage(reporter, "segment"):
            _segment_all(plan, session, test, names, host, outputs, reporter, failures)
        note_peak(plan.folder, session.peak_memory())
        failures.require_some()


def _prepare(
    plan: RunPlan, store: PreparedStore, names: CaseNames, failures: Failures, reporter: Reporter
) -> tuple[Cohort, Cohort, Cohort]:
    """Prepare all images, and forget predictions that were made with others.

    Returns them under the names that the method sees: to learn from (train and valid, maybe none), and to segment.
    """
    with timed_stage(reporter, "prepare"):
        cohorts = partial(build_cohort, dataset=plan.dataset, store=store, progress=reporter.step)
        test = cohorts(plan.settings.part, plan.case_ids, leave_out=failures.add)
        by_use = {part: cohorts(part, plan.learned_from(part)) for part in ("train", "valid")} | {SEGMENTED: test}
        failures.require_some()
        refuse_changed_images(plan.inputs, plan.dataset, by_use)
        hidden = {use: names.hide(cohort) for use, cohort in by_use.items()}
    digests = {use: cohort.digest for use, cohort in hidden.items()}
    _forget_another_models_predictions(plan, digests)
    plan.folder.update({"images": digests, "case_names": names.to_json()})
    return hidden["train"], hidden["valid"], hidden[SEGMENTED]


def _has_earlier_work(plan: RunPlan) -> bool:
    """Whether an earlier call left predictions or checkpoints, which this call goes on with."""
    folders = (plan.folder.path / "predictions", plan.folder.partials)
    return any(any(folder.iterdir()) for folder in folders if folder.is_dir())


def _insist(plan: RunPlan) -> None:
    """Raise RunError when a seal is required and the finished run was made without one."""
    mode = plan.folder.record.get("seal", {}).get("mode")
    if plan.settings.sealed == "required" and mode != SEALED:
        raise RunError(f"{plan.title}: finished before, but not sealed; --force runs it again, sealed")


def _segment_all(
    plan: RunPlan,
    session: Session,
    test: Cohort,
    names: CaseNames,
    host: RunHost,
    outputs: CaseOutputs,
    reporter: Reporter,
    failures: Failures,
) -> None:
    for index, name in enumerate(test.case_ids):
        case_id = names.real(name)
        if not plan.is_segmented(case_id):
            try:
                prepared = host.open_case(name)
                refuse_changed_image(prepared, test.digests[name])
                with outputs.case(prepared):
                    mask = session.segment(test, name)
            except ProcessLost:
                raise
            except Exception as error:  # noqa: BLE001 - a method may raise anything; the other cases go on
                failures.add(case_id, error, names.restore)
            else:
                prepared.write_prediction(plan.folder.prediction(case_id), mask)
                note_made(plan.folder, plan.inputs.images[case_id], prepared)
                plan.folder.log("case", {"case": case_id, "voxels": int(np.count_nonzero(mask))})
        reporter.step(index + 1, len(test), case_id)


def _forget_another_models_predictions(plan: RunPlan, digests: Mapping[str, str]) -> None:
    """Remove the predictions of an earlier call that learned from other images than today's."""
    before: dict[str, str] = plan.folder.record.get("images", {})
    if any(before.get(part, digests[part]) != digests[part] for part in ("train", "valid")):
        for case_id in plan.case_ids:
            plan.folder.forget_case(case_id)


def _begin(plan: RunPlan, device: Device, reporter: Reporter) -> None:
    record = plan.folder.record
    before = Device.from_json(record.get("device", {}))
    if record.get("device") and before.kind != device.kind and _has_earlier_work(plan):
        reporter.message(f"{plan.title}: an earlier call began it on {before.text}")
    plan.folder.log("device", device.to_json())
    if not record:
        plan.folder.forget_partials()
    settings = plan.settings.model_copy(update={"methods": (plan.written,), "seeds": (plan.seed,)})
    plan.folder.update(
        {
            "state": "started",
            "method": plan.method.name,
            "floor": plan.method.floor,
            "ceiling": plan.method.ceiling,
            "look_below": plan.method.look_below,
            "supervision": str(plan.method.supervision),
            "preset": plan.preset,
            "options": plan.method.flat,
            "differs": plan.method.differs,
            "seed": plan.seed,
            **first_facts(plan.dataset, plan.split, settings, plan.case_ids),
            "device": device.to_json(),
            "started": record.get("started", utc_now()),
            **plan.inputs.facts,
            "label_reads": record.get("label_reads", []),
            "error": None,
        }
    )
