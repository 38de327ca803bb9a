"""A dry run of `fit`: which stages a run would compute and which are kept, told from their keys alone."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, NoReturn, Self

from unseg_bench.blocks.weights import WeightsFile, find_entry, find_through, locate
from unseg_bench.data.cohort import Cohort
from unseg_bench.data.paths import cache_dir
from unseg_bench.data.store import PreparedCase
from unseg_bench.data.volume import Image, Mask, Volume
from unseg_bench.errors import RunError, WeightsError
from unseg_bench.plugins.context import Context
from unseg_bench.plugins.determinism import deterministic
from unseg_bench.plugins.device import Device
from unseg_bench.plugins.digests import digest_of
from unseg_bench.plugins.history import LEDGER, SEALED, History
from unseg_bench.plugins.host import Host, LabelKind
from unseg_bench.plugins.outputs import outside_segment
from unseg_bench.plugins.stage import Artifact
from unseg_bench.plugins.stage_cache import StageCache
from unseg_bench.run.folder import find_runs
from unseg_bench.run.ledger import history_of
from unseg_bench.run.permits import Permits
from unseg_bench.run.plan import RunPlan
from unseg_bench.run.session.dispatch import Dispatch
from unseg_bench.run.session.run_rules import run_rules
from unseg_bench.run.session.seal import SERVER, mode_of, owner_of, socket_probes
from unseg_bench.sandbox.process import NotSealed, SandboxProcess
from unseg_bench.sandbox.wire import kind_of
from unseg_bench.sandbox.workspace import Workspace


@dataclass(frozen=True, slots=True)
class StageCall:
    """One stage that a run asks for. `digest` names its result, `options` are as in its key; cached: it is there.

    cases: how many its inputs have.
    """

    name: str
    digest: str
    options: object
    cached: bool
    cases: int = 0


@dataclass(frozen=True, slots=True)
class DryRun:
    """The stages of one run in order, and what is left to segment.

    `beyond`: why more stages may follow that are not known before it runs (None: these are all). `error`: what `fit`
    raises although all its stages are there; then the run would fail.
    """

    plan: RunPlan
    stages: tuple[StageCall, ...] = ()
    beyond: str | None = None
    error: str | None = None

    @property
    def to_segment(self) -> int:
        """How many cases have no prediction yet."""
        return sum(not self.plan.is_segmented(case_id) for case_id in self.plan.case_ids)


def dry_run_all(plans: Sequence[RunPlan]) -> list[DryRun]:
    """Try the `fit` of every run; nothing is computed, prepared, fetched or kept.

    A method works where its run would work, in one process per method. The images are known by the digests in the
    records of earlier runs on the same data; without such a run their digests are not known, and every stage is to do.
    """
    folders = {plan.folder.path.parents[1] for plan in plans}
    records = [run.record for folder in folders for run in find_runs(folder)]
    with ExitStack() as stack:
        processes: dict[str, _Process] = {}
        return [_try(plan, _Known.of(plan, records), processes, stack) for plan in plans]


@dataclass(frozen=True, slots=True)
class _Known:
    """What earlier runs on the same data tell of the images: digests of cohorts, and names of cases."""

    digests: Mapping[str, str]
    names: Mapping[str, str]

    @classmethod
    def of(cls, plan: RunPlan, records: Sequence[Mapping[str, Any]]) -> Self:
        """Read it from the records, oldest first."""
        digests: dict[str, str] = {}
        names: dict[str, str] = {}
        nobody = Cohort("", [], _no_volume).digest
        for record in records:
            content: Mapping[str, str] = record.get("content", {})
            images: Mapping[str, str] = record.get("images", {})
            same = {part for part, digest in content.items() if digest == plan.inputs.content.get(part)}
            digests |= {part: digest for part, digest in images.items() if part in same and digest != nobody}
            names |= record.get("case_names", {}) if same else {}
        return cls(digests, names)

    def cohort(self, name: str, case_ids: Sequence[str]) -> Cohort:
        """Return a cohort that cannot be opened; where its digest is not known it has one that nothing else has."""
        named = sorted(self.names.get(case_id, case_id) for case_id in case_ids)
        cohort = Cohort(name, [(case_id, "not prepared") for case_id in named], _no_volume)
        if case_ids:
            cohort.digest = self.digests.get(name, cohort.digest)
        return cohort


class _Host(Host):
    """Looks stages up, opens nothing, fetches nothing, keeps nothing. `refused`: what was asked for beyond that."""

    def __init__(self, plan: RunPlan, known: _Known, mode: str, workspace: Workspace | None) -> None:
        self.seed, self.device, self.offline = plan.seed, "cpu", True
        self.stages: list[StageCall] = []
        self.refused: str | None = None
        self._plan, self._known, self._workspace = plan, known, workspace
        permits, record = Permits(plan, mode), plan.folder.record
        own = history_of(record) if record else History()
        self._cache = StageCache(
            cache_dir().resolve() / "stages" / owner_of(plan.method.where),
            cache_dir() / "partial",
            may_take=lambda history: permits.may_take(history, own),
        )

    def label(self, kind: LabelKind, case_id: str, purpose: str) -> Mask:
        """End here."""
        self._stop(f"it reads labels ({purpose})")

    def predicted_mask(self, source: str, case_id: str) -> Mask:
        """End here."""
        self._stop(f"it reads masks of {source}")

    def healthy(self) -> Cohort:
        """Return the data set's healthy cases, which cannot be opened."""
        return self._known.cohort("healthy", self._plan.dataset.healthy())

    def stage(self, name: str, key: Mapping[str, Any], cases: int) -> Artifact:
        """Name the result that the stage would have, and note whether it is there."""
        found = self._cache.look_up(name, key)
        digest = digest_of(key)
        self.stages.append(StageCall(name, digest, key["options"], found is not None, cases))
        if found is None:
            return Artifact(name, self._cache.folder / "not-there-yet" / digest, digest)
        workspace, folder = self._workspace, found.artifact.folder
        return Artifact(name, folder if workspace is None else workspace.hand_over_folder(folder), digest)

    def weights(self, name: str, offline: bool) -> WeightsFile:
        """Hand over known weights that are here already."""
        try:
            if (entry := find_entry(name)) is None:
                raise WeightsError(name)
            file = locate(name, offline=True)
        except WeightsError:
            self._stop(f"it needs the weights {name}, which are not here yet or are a file of yours", WeightsError)
        workspace = None if entry.packaged else self._workspace
        path = file.path if workspace is None else workspace.hand_over(file.path, file.sha256)
        return WeightsFile(path, file.sha256, name)

    def keep_map(self, case_id: str, scores: Image) -> None:
        """Raise RunError: a dry run never segments."""
        raise outside_segment("keep_map")

    def alternative(self, case_id: str, name: str, mask: Mask) -> None:
        """Raise RunError: a dry run never segments."""
        raise outside_segment(f"alternative {name!r}")

    def confidence(self, case_id: str, value: float, parts: Mapping[str, float]) -> None:
        """Raise RunError: a dry run never segments."""
        raise outside_segment("confidence")

    def open_case(self, case_id: str) -> PreparedCase:
        """End here."""
        self._stop("it opens images before a stage")

    def _stop(self, why: str, error: type[Exception] = RunError) -> NoReturn:
        self.refused = self.refused or why
        raise error(f"a dry run ends here: {why}")


class _Process:
    """The process of one method's dry runs, one after the other; `stack` ends it.

    It may read its own code and finished stages. No image, no label, no mask and no file that the user named is handed
    over; weights only if they are here.
    """

    def __init__(self, plan: RunPlan, mode: str, stack: ExitStack) -> None:
        self.workspace = Workspace(None)
        stack.callback(self.workspace.leave)
        self._dispatch = Dispatch(Host(), self._open_case)
        rules = run_rules(plan, self.workspace, dry=True) if mode == SEALED else None
        probes = socket_probes() if mode == SEALED else ()
        given, dispatch = {"where": plan.method.where.to_json()}, self._dispatch
        try:
            self._process = stack.enter_context(
                SandboxProcess(self.workspace, rules, probes, SERVER, given, dispatch.answer, dispatch.hear)
            )
        except NotSealed as error:
            raise RunError(f"{plan.title}: cannot be sealed: {error}") from None

    def _open_case(self, case_id: str) -> PreparedCase:
        return self._host.open_case(case_id)

    def fit(self, plan: RunPlan, host: _Host, cohorts: Sequence[Cohort]) -> None:
        """Call `fit` with a plan's options; raises what it raises."""
        self._host = self._dispatch.host = host
        shared = {"seed": plan.seed, "device": Device().to_json(), "offline": True}
        shared["deterministic"] = plan.settings.deterministic
        self._process.call("open", {"options": plan.method.options, **shared})
        training, validation = (self._dispatch.admit(cohort) for cohort in cohorts)
        self._process.call("fit", {"training": training, "validation": validation})


def _try(plan: RunPlan, known: _Known, processes: dict[str, _Process], stack: ExitStack) -> DryRun:
    if not plan.method.learns or plan.is_done:
        return DryRun(plan)
    mode, _ = mode_of(from_file=plan.loaded is None, asked=plan.settings.sealed, name=plan.title)
    cohorts = [known.cohort(part, plan.learned_from(part)) for part in ("train", "valid")]
    process: _Process | None = None
    if mode != LEDGER:
        name = f"{owner_of(plan.method.where)} {plan.method.name}"
        if name not in processes:
            processes[name] = _Process(plan, mode, stack)
        process = processes[name]
    host = _Host(plan, known, mode, None if process is None else process.workspace)
    raised: Exception | None = None
    try:
        if process is None:
            _fit_here(plan, host, cohorts)
        else:
            process.fit(plan, host, cohorts)
    except Exception as error:  # noqa: BLE001 - a method may raise anything when a result is not there yet
        raised = error
    return _judged(plan, host, raised)


def _fit_here(plan: RunPlan, host: _Host, cohorts: Sequence[Cohort]) -> None:
    """Call `fit` in this process, which is where the run would work too."""
    assert plan.loaded is not None  # noqa: S101 - a file's method never works here

    def load(case_id: str) -> Volume:
        return host.open_case(case_id).volume()

    training, validation = (_opened_by(cohort, load) for cohort in cohorts)
    with deterministic(plan.settings.deterministic), find_through(host.weights):
        plan.loaded(plan.options).fit(training, validation, Context(host))


def _opened_by(cohort: Cohort, load: Any) -> Cohort:  # noqa: ANN401 - case id -> Volume
    found = Cohort(cohort.name, list(cohort.digests.items()), load)
    found.digest = cohort.digest
    return found


def _judged(plan: RunPlan, host: _Host, raised: Exception | None) -> DryRun:
    """Tell an error that the run would have from one that only the dry run has."""
    stages = tuple(host.stages)
    if host.refused is not None or raised is None:
        return DryRun(plan, stages, beyond=host.refused)
    if not all(stage.cached for stage in stages):
        return DryRun(plan, stages, beyond="it reads a result that is not there yet")
    if isinstance(raised, WeightsError):
        return DryRun(plan, stages, beyond="it needs pretrained weights that are not here yet")
    return DryRun(plan, stages, error=f"{kind_of(raised)}: {raised}")


def _no_volume(case_id: str) -> Volume:
    raise RunError(f"{case_id} is not opened in a dry run")
