"""A run's method asked once more, for one case, how it came to its answer. The run itself stays as it is."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from unseg_bench.data.cohort import Cohort
from unseg_bench.data.labels import LabelDoor
from unseg_bench.data.paths import cache_dir
from unseg_bench.data.store import PreparedStore, build_cohort
from unseg_bench.data.volume import Volume
from unseg_bench.errors import DataError, PluginError, RunError, UbenchError
from unseg_bench.plugins.explain import Explanation, checked
from unseg_bench.plugins.manager import Plugins, is_file
from unseg_bench.plugins.method import Method
from unseg_bench.run.context import RunContext
from unseg_bench.run.determinism import deterministic, explain_failure
from unseg_bench.run.folder import RunFolder
from unseg_bench.run.handover import Forgotten
from unseg_bench.run.kept_stages import KeptStages
from unseg_bench.run.ledger import Ledger
from unseg_bench.run.mask_sources import MaskSources
from unseg_bench.run.plan import RunPlan, plan_runs
from unseg_bench.run.progress import Reporter
from unseg_bench.run.sealed.sealing import SEALED, owner_of, stages_in
from unseg_bench.run.settings import make_settings
from unseg_bench.run.stages import StageCache
from unseg_bench.sandbox.workspace import Workspace


def explain_case(
    run: RunFolder, case_id: str, plugins: Plugins, reporter: Reporter, *, data: Path | None, recompute: bool
) -> Explanation | None:
    """Return the steps of one case of the run's split, of any part; None where its method explains nothing.

    The method works in this process, unsealed, with the stages that the run left; what it notes and reads goes into a
    folder that is thrown away. `data`: where the data are now, if they moved. `recompute`: go on where the method's
    code or stages are no longer those of the run. Raises PluginError for a single file's method that ran sealed, whose
    code is not let out, and for an explanation that is none; DataError where code, data or stages are gone.
    """
    plan = _plan(run, plugins, data)
    if plan.loaded is None or plan.loaded.explain is Method.explain:
        return None
    if plan.folder.path.name != run.path.name and not recompute:
        raise DataError(
            f"{run.path}: the code of '{plan.written}' or its data are no longer those of this run (or its folder was "
            "renamed); `ubench run ...` makes a new run, --recompute takes the method as it is now"
        )
    with _aside(plan, run, reporter, recompute=recompute) as (quiet, store, context, desk):
        volume = store.prepare(case_id, quiet.dataset.image(case_id)).volume()
        method = plan.loaded(quiet.options)
        with deterministic(quiet.settings.deterministic):
            found = _ask(quiet, method, volume, store, context, desk, reporter)
    return None if found is None else checked(found, volume, quiet.method.name)


def _plan(run: RunFolder, plugins: Plugins, data: Path | None) -> RunPlan:
    """Return the plan that the run was made by, as far as it can be made today, its method loaded here."""
    record = run.record
    settings: dict[str, Any] = dict(record["settings"])
    (written,) = settings["methods"]
    if is_file(written) and record.get("seal", {}).get("mode") == SEALED:
        raise PluginError(
            f"{written}: ran sealed, and its code is not let out of the seal to draw pictures; run it with "
            "--sealed off --force first, or install it as a plugin"
        )
    if data is not None:
        settings["dataset_options"] = {**settings["dataset_options"], "data": str(data.expanduser().absolute())}
    settings["device"] = "cpu" if settings["device"] == "cpu" else "auto"
    (plan,) = plan_runs(make_settings({**settings, "sealed": "off"}), plugins, run.path.parent.parent)
    return plan


@contextmanager
def _aside(
    plan: RunPlan, run: RunFolder, reporter: Reporter, *, recompute: bool
) -> Generator[tuple[RunPlan, PreparedStore, RunContext, KeptStages]]:
    """Give the plan, a store, a context whose record, ledger and log are in a folder that goes away, and its stages."""
    store = PreparedStore(cache_dir() / "prepared")
    with TemporaryDirectory(prefix="ubench-show-") as folder:
        aside = replace(plan, folder=RunFolder(Path(folder) / run.path.name))
        ledger = Ledger(aside.folder)

        def healthy() -> Cohort:
            return build_cohort("healthy", plan.dataset.healthy(), plan.dataset, store, reporter.step)

        desk = KeptStages(_stages_of(plan, run), aside.folder, ledger, reporter, recompute=recompute)
        context = RunContext(
            folder=aside.folder,
            seed=plan.seed,
            device=plan.settings.device,
            offline=plan.settings.offline,
            desk=desk,
            labels=LabelDoor(plan.dataset, plan.split, plan.method.supervision, store, ledger.add),
            masks=MaskSources(aside, store, ledger),
            handover=Forgotten(),
            healthy=healthy,
            reporter=reporter,
        )
        yield aside, store, context, desk


def _stages_of(plan: RunPlan, run: RunFolder) -> StageCache:
    """Return the cache that the run's stages went to."""
    if run.record.get("seal", {}).get("mode") != SEALED:
        return StageCache(cache_dir() / "stages")
    room = Workspace(owner_of(plan))
    try:
        return stages_in(room)
    finally:
        room.leave()


def _ask(
    plan: RunPlan,
    method: Method,
    volume: Volume,
    store: PreparedStore,
    context: RunContext,
    desk: KeptStages,
    reporter: Reporter,
) -> Explanation | None:
    """Fit, from finished stages, and explain, where the case's own may be made; RunError for what is no UbenchError."""
    training, validation = (
        build_cohort(part, plan.learned_from(part), plan.dataset, store, reporter.step) for part in ("train", "valid")
    )
    try:
        if plan.method.learns:
            method.fit(training, validation, context)
        desk.allow_more()
        return method.explain(volume, context)
    except UbenchError:
        raise
    except Exception as error:
        raise RunError(f"{plan.title}: explain failed with {explain_failure(type(error).__name__, error)}") from error
