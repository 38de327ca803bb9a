"""Runs a method in a sealed process: what goes in is images and weights, what comes out is masks."""

from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from unseg_bench.data.atomic import write_json
from unseg_bench.data.cohort import Cohort
from unseg_bench.data.labels import LabelDoor
from unseg_bench.data.paths import cache_dir
from unseg_bench.data.store import PreparedCase, PreparedStore
from unseg_bench.data.volume import Mask
from unseg_bench.run.desk import StageDesk
from unseg_bench.run.handover import Handover
from unseg_bench.run.ledger import Ledger
from unseg_bench.run.mask_sources import MaskSources, named_sources
from unseg_bench.run.performers import Images, call_failed, wrong_mask
from unseg_bench.run.progress import Reporter
from unseg_bench.run.sealed.attendant import Attendant
from unseg_bench.run.sealed.sealing import (
    NO_NETWORK,
    SEALED,
    SERVER,
    data_files,
    explain_refusal,
    owner_of,
    probes_of,
    rules_of,
    stages_in,
)
from unseg_bench.sandbox import landlock
from unseg_bench.sandbox.channel import Message
from unseg_bench.sandbox.process import ProcessLost, SandboxProcess
from unseg_bench.sandbox.wire import Thrown, unpack_mask
from unseg_bench.sandbox.workspace import Workspace

if TYPE_CHECKING:
    from unseg_bench.run.plan import RunPlan

EVIDENCE = "seal.json"


class Sealed:
    """A method in its sealed process; a context manager that ends the process. See `run.performers.Performer`."""

    def __init__(
        self,
        plan: "RunPlan",
        images: Images,
        store: PreparedStore,
        ledger: Ledger,
        labels: LabelDoor,
        masks: MaskSources,
        handover: Handover,
        healthy: Callable[[], Cohort],
        reporter: Reporter,
        *,
        refresh: set[Path] | None,
    ) -> None:
        """Start the process and make sure that it is locked; raises NotSealed otherwise."""
        self._plan, self._images, self._store = plan, images, store
        self._room = Workspace(owner_of(plan))
        try:
            self._attendant = Attendant(
                room=self._room,
                folder=plan.folder,
                desk=StageDesk(stages_in(self._room), plan.folder, ledger, reporter, refresh=refresh),
                labels=labels,
                masks=masks,
                handover=handover,
                sources=named_sources(plan.method.flat),
                prepared=self._prepared,
                healthy=healthy,
                named=frozenset(value for value in plan.method.flat.values() if isinstance(value, str)),
                protected=self._is_protected,
                reporter=reporter,
            )
            rules = rules_of(plan, self._room)
            ask, tell = self._attendant.ask, self._attendant.tell
            probes = probes_of(plan, images.test.case_ids)
            self._cell = SandboxProcess(self._room, rules, probes, SERVER, {"method": plan.method.where}, ask, tell)
        except BaseException:
            self._room.leave()
            raise
        write_json(plan.folder.path / EVIDENCE, self._evidence_in_full(rules))
        self._opened = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self._cell.end()
        self._attendant.abandon()
        self._room.leave()

    def fit(self) -> None:
        """Have the process call the method's `fit`."""
        cohorts = {
            part: self._attendant.admit(cohort)
            for part, cohort in (("training", self._images.training), ("validation", self._images.validation))
        }
        self._learn("fit", cohorts)

    def expect(self) -> None:
        """Have the process call the method's `expect`; it may ask for the cases' volumes from then on."""
        self._learn("expect", {"cases": self._attendant.admit(self._images.test)})

    def segment(self, case_id: str) -> Mask:
        """Have the process call the method's `segment` with one volume."""
        shape = self._prepared(case_id).placement.shape
        facts, files = self._attendant.volume(self._images.test.name, case_id)
        answer, bits = self._call("segment", {"volume": facts}, files)
        name = self._plan.method.name
        if "wrong" in answer:
            raise wrong_mask(name, shape, str(answer["wrong"]))
        if tuple(answer["shape"]) != shape:
            raise wrong_mask(name, shape, f"bool of shape {tuple(answer['shape'])}")
        return unpack_mask(bits, shape)

    def evidence(self) -> dict[str, Any]:
        """What was enforced and what was handed over, for run.json."""
        return {
            "mode": SEALED,
            "reason": "",
            "landlock_abi": landlock.abi(),
            "network": NO_NETWORK,
            **self._cell.enforced,
            "refused": [tried["what"] for tried in self._cell.probes],
            "refused_calls": self._cell.refused_calls,
            "volumes": dict(self._attendant.volumes),
            "weights": dict(self._attendant.weights),
        }

    def _learn(self, what: str, cohorts: Message) -> None:
        try:
            self._call(what, cohorts)
        except Thrown as error:
            raise call_failed(self._plan.title, what, error.kind, error) from error

    def _call(self, what: str, values: Message, files: Sequence[int] = ()) -> tuple[Message, bytes]:
        try:
            self._open()
            return self._cell.call(what, values, files)
        except ProcessLost as error:
            raise ProcessLost(f"{self._plan.title}: {error}") from None
        except Exception as error:
            if error.args:
                error.args = (explain_refusal(str(error)),)
            raise

    def _open(self) -> None:
        """Have the process make the method's object, before the first call."""
        if self._opened:
            return
        settings = self._plan.settings
        shared = {"seed": self._plan.seed, "device": settings.device, "offline": settings.offline}
        shared["deterministic"] = settings.deterministic
        self._cell.call("open", {"options": self._plan.method.options, **shared})
        self._opened = True

    def _prepared(self, case_id: str) -> PreparedCase:
        return self._store.prepare(case_id, self._plan.dataset.image(case_id))

    def _is_protected(self, path: Path) -> bool:
        """Whether a file belongs to the data set, to runs, or to what the cache keeps of them; any NIfTI file does."""
        files = [file.resolve() for file in data_files(self._plan)]
        folders = {file if file.is_dir() else file.parent for file in files}
        folders |= {self._plan.folder.path.parent.resolve(), cache_dir().resolve()}
        if ".nii" in path.suffixes:
            return True
        weights = (cache_dir() / "weights").resolve()
        return not path.is_relative_to(weights) and any(path.is_relative_to(folder) for folder in folders)

    def _evidence_in_full(self, rules: list[landlock.Rule]) -> dict[str, Any]:
        allowed = [{"path": str(rule.path), "rights": _words(rule.rights)} for rule in rules if rule.path.exists()]
        return {"allowed": allowed, "refused": self._cell.probes}


def _words(rights: landlock.Right) -> str:
    if rights & landlock.Right.MAKE_REG:
        return "read and write"
    if rights & landlock.Right.WRITE_FILE:
        return "device"
    return "read" if rights & landlock.Right.READ_FILE else "list"
