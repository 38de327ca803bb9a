"""A run's method asked once more, for one case, how it came to its answer. The run itself stays as it is."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from unseg_bench.data.paths import cache_dir
from unseg_bench.data.store import PreparedStore, build_cohort
from unseg_bench.errors import DataError, PluginError, UbenchError
from unseg_bench.plugins.determinism import call_failed
from unseg_bench.plugins.explain import Explanation
from unseg_bench.plugins.history import UNSEALED
from unseg_bench.plugins.manager import Plugins, is_file
from unseg_bench.run.case_names import CaseNames
from unseg_bench.run.folder import RunFolder
from unseg_bench.run.host import RunHost
from unseg_bench.run.ledger import Ledger
from unseg_bench.run.plan import RunPlan, plan_runs
from unseg_bench.run.progress import Reporter
from unseg_bench.run.session.seal import kernel_obstacle, mode_of
from unseg_bench.run.session.session import Session, open_session
from unseg_bench.run.settings import make_settings
from unseg_bench.sandbox.wire import kind_of


def explain_case(
    run: RunFolder, case_id: str, plugins: Plugins, reporter: Reporter, *, data: Path | None, recompute: bool
) -> Explanation | None:
    """Return the steps of one case of the run's split, of any part; None where its method explains nothing.

    The method works as the run did, sealed where that can be had, with the stages that the run left; what it notes and
    reads goes into a folder that is thrown away. `data`: where the data are now, if they moved. `recompute`: go on
    where the method's code or stages are no longer those of the run. Raises PluginError for a method's file where
    nothing can be sealed, and for an explanation that is none; DataError where code, data or stages are gone.
    """
    plan = _plan(run, plugins, data)
    if not plan.method.explains:
        return None
    if plan.folder.path.name != run.path.name and not recompute:
        raise DataError(
            f"{run.path}: the code of '{plan.written}' or its data are no longer those of this run (or its folder was "
            "renamed); `ubench run ...` makes a new run, --recompute takes the method as it is now"
        )
    store, names = PreparedStore(cache_dir() / "prepared"), CaseNames()
    asked = names.hide(build_cohort("explained", (case_id,), plan.dataset, store, reporter.step))
    with _aside(plan, run, store, names, reporter, make_stages=recompute) as (host, session):
        cohorts = [
            names.hide(build_cohort(part, plan.learned_from(part), plan.dataset, store, reporter.step))
            for part in ("train", "valid")
        ]
        try:
            if plan.method.learns:
                session.fit(*cohorts)
            host.make_stages = True
            return session.explain(asked, names.seen(case_id))
        except UbenchError:
            raise
        except Exception as error:
            raise call_failed(plan.title, "explain", kind_of(error), error) from error


def _plan(run: RunFolder, plugins: Plugins, data: Path | None) -> RunPlan:
    """Return the plan that the run was made by, as far as it can be made today."""
    settings: dict[str, Any] = dict(run.record["settings"])
    (written,) = settings["methods"]
    if is_file(written) and (reason := kernel_obstacle()) is not None:
        raise PluginError(f"{written}: a file that a run names is never run without a seal: {reason}")
    if data is not None:
        settings["dataset_options"] = {**settings["dataset_options"], "data": str(data.expanduser().absolute())}
    settings["device"] = "cpu" if settings["device"] == "cpu" else "auto"
    (plan,) = plan_runs(make_settings({**settings, "sealed": "auto"}), plugins, run.path.parent.parent)
    return plan


@contextmanager
def _aside(
    plan: RunPlan, run: RunFolder, store: PreparedStore, names: CaseNames, reporter: Reporter, *, make_stages: bool
) -> Generator[tuple[RunHost, Session]]:
    """Give the run's host and its session; record, ledger and log are in a folder that goes away.

    What the run had seen counts as seen, so that its own stages may be taken.
    """
    mode, reason = mode_of(from_file=plan.loaded is None, asked="auto", name=plan.title)
    if mode == UNSEALED:
        raise PluginError(f"{plan.written}: a file that a run names is never run without a seal")
    with TemporaryDirectory(prefix="ubench-show-") as folder:
        aside = replace(plan, folder=RunFolder(Path(folder) / run.path.name))
        aside.folder.update(run.record)
        host = RunHost(aside, mode, store, names, Ledger(aside.folder), None, reporter, make_stages=make_stages)
        host.tells_of_kept = False
        with open_session(aside, host, mode, reason) as session:
            yield host, session
