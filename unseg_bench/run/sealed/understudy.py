"""A method's `fit` in a sealed process that computes nothing: it asks for its stages, and each is looked up."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from unseg_bench.blocks.weights import known_weights, resolve, resolve_entry
from unseg_bench.data.cohort import Cohort
from unseg_bench.data.paths import cache_dir
from unseg_bench.errors import RunError, WeightsError
from unseg_bench.plugins.handover import outside_segment
from unseg_bench.run.data_files import data_folders
from unseg_bench.run.digests import digest_of
from unseg_bench.run.sealed.sealing import SERVER, dataset_files, own_files, owner_of, socket_probes, stages_in
from unseg_bench.sandbox import policy
from unseg_bench.sandbox.channel import Message
from unseg_bench.sandbox.process import Answer, NotSealed, SandboxProcess
from unseg_bench.sandbox.workspace import Workspace

if TYPE_CHECKING:
    from unseg_bench.run.plan import RunPlan


class Understudy:
    """The sealed process of one method's rehearsals, one after the other; a context manager that ends it.

    It may read its own code and its finished stages. No image, no label, no mask and no file that the user named is
    handed over; weights only if they are here.
    """

    def __init__(self, plan: "RunPlan") -> None:
        """Start the process for the method of a plan; raises NotSealed where the plan's run would not be sealed."""
        self._room = Workspace(owner_of(plan))
        self._cohorts: Mapping[str, Cohort] = {}
        self.asked: list[tuple[Mapping[str, Any], bool]] = []
        self.refused: str | None = None
        try:
            hidden = dataset_files(type(plan.dataset))
            rules = [*policy.interpreter_rules([own_files(plan)], hidden), *self._room.rules]
            protected = [*data_folders(plan.dataset), plan.folder.path.parent, cache_dir()]
            if policy.find_hole(rules, protected) is not None:
                raise NotSealed("data or runs lie where Python reads its packages")
            given = {"method": plan.method.where}
            self._cell = SandboxProcess(self._room, rules, socket_probes(), SERVER, given, self._answer, lambda _: None)
        except BaseException:
            self._room.leave()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self._cell.end()
        self._room.leave()

    def fit(self, plan: "RunPlan", cohorts: Mapping[str, Cohort]) -> None:
        """Call `fit` with a plan's options; `cohorts`: 'train', 'valid' and 'healthy'. Raises what it raises.

        Afterwards `asked` has each stage's key and whether it is kept, and `refused` what else it asked for first.
        """
        self._cohorts, self.asked, self.refused = cohorts, [], None
        shared = {"seed": plan.seed, "device": "cpu", "offline": True, "deterministic": plan.settings.deterministic}
        self._cell.call("open", {"options": plan.method.options, **shared})
        self._cell.call("fit", {"training": _listing(cohorts["train"]), "validation": _listing(cohorts["valid"])})

    def _answer(self, question: Message) -> Answer:
        asked = str(question["ask"])
        if asked == "stage":
            return self._look_up(question["key"]), ()
        if asked == "healthy":
            return _listing(self._cohorts["healthy"]), ()
        if asked == "weights":
            return self._weights(str(question["name"])), ()
        if asked == "table":
            return {}, ()
        if asked in {"map", "alternative"}:
            raise outside_segment(asked)
        reasons = {"volume": "it opens images before a stage", "label": "it reads labels"}
        self._refuse(reasons.get(asked, f"it asks for a {asked}"))
        raise RunError("a rehearsal hands nothing over")

    def _look_up(self, key: Mapping[str, Any]) -> Message:
        cache = stages_in(self._room)
        found = cache.look_up(str(key["stage"]), key)
        self.asked.append((key, found is not None))
        folder = cache.folder / "not-there-yet" if found is None else found.folder
        return {"result": str(folder), "digest": digest_of(key)}

    def _weights(self, name: str) -> Message:
        """Hand over published weights that are here already."""
        entry = known_weights().get(name)
        with suppress(WeightsError):
            if entry is not None:
                file = resolve(name, offline=True)
                packaged = entry.packaged is not None
                path: Path = file.path if packaged else self._room.hand_over(file.path, file.sha256)
                return {"path": str(path), "sha256": file.sha256}
            if name.startswith("clip-"):
                from unseg_bench.blocks.clip import find_tag_entry

                file = resolve_entry(find_tag_entry(name), offline=True)
                return {"path": str(self._room.hand_over(file.path, file.sha256)), "sha256": file.sha256}
        self._refuse(f"it needs the weights {name}, which are not here yet or are a file of yours")
        raise WeightsError(f"{name}: not opened in a rehearsal")

    def _refuse(self, why: str) -> None:
        self.refused = self.refused or why


def _listing(cohort: Cohort) -> Message:
    return {"name": cohort.name, "digests": [(case_id, "") for case_id in cohort.case_ids], "digest": cohort.digest}
