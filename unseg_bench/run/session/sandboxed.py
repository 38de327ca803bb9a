"""A session in a process of the method's own: sealed, or, of a file where nothing can be sealed, without a lock.

What goes in is images, weights, stages and the labels that were granted; what comes out is masks, and data.
"""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from typing import Any

from unseg_bench.data.atomic import write_json
from unseg_bench.data.cohort import Cohort
from unseg_bench.data.volume import Mask
from unseg_bench.errors import RunError
from unseg_bench.plugins.determinism import call_failed
from unseg_bench.plugins.device import settle_device
from unseg_bench.plugins.explain import Explanation, checked
from unseg_bench.plugins.history import SEALED
from unseg_bench.plugins.outputs import unlike_mask, wrong_mask
from unseg_bench.run.host import RunHost
from unseg_bench.run.plan import RunPlan
from unseg_bench.run.session.codec import unpack, unpack_explanation
from unseg_bench.run.session.dispatch import Dispatch
from unseg_bench.run.session.run_rules import run_probes, run_rules
from unseg_bench.run.session.seal import SERVER, explain_refusal
from unseg_bench.sandbox import landlock, policy
from unseg_bench.sandbox.channel import Message
from unseg_bench.sandbox.process import NotSealed, ProcessLost, SandboxProcess
from unseg_bench.sandbox.wire import Thrown
from unseg_bench.sandbox.workspace import Workspace

EVIDENCE = "seal.json"
NO_NETWORK = "no sockets at all (seccomp)"
_PEAKS, _MOST_BYTES = ("process", "gpu"), 1 << 60


class SandboxSession:
    """A method in its own process; a context manager that ends the process (see `session.Session`).

    `mode`: 'sealed' or 'not sealed', and why not.
    """

    def __init__(self, plan: RunPlan, host: RunHost, mode: str, reason: str) -> None:
        """Start the process and make sure that it is locked; raises RunError where that fails."""
        self._plan, self._open_case, self._dispatch = plan, host.open_case, Dispatch(host, host.open_case)
        self._mode, self._reason = mode, reason
        self._opened = False
        with ExitStack() as stack:
            workspace = Workspace(plan.folder.partials)
            stack.callback(workspace.leave)
            host.hand_through(workspace)
            rules: Sequence[landlock.Rule] | None = None
            probes: Sequence[dict[str, str]] = ()
            if mode == SEALED:
                rules, probes = run_rules(plan, workspace), run_probes(plan, plan.case_ids)
            dispatch = self._dispatch
            given = {"where": plan.method.where.to_json()}
            try:
                self._process = stack.enter_context(
                    SandboxProcess(workspace, rules, probes, SERVER, given, dispatch.answer, dispatch.hear)
                )
            except NotSealed as error:
                raise RunError(
                    f"{plan.title}: cannot be sealed: {error}. Nothing was run; --sealed off runs without a seal, and "
                    "the label-free column says so"
                ) from None
            if rules is not None:
                write_json(plan.folder.path / EVIDENCE, _in_full(rules, self._process.probes))
            stack.callback(host.close)
            self._stack = stack.pop_all()

    def __enter__(self) -> "SandboxSession":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def fit(self, training: Cohort, validation: Cohort) -> None:
        """Have the process call the method's `fit`; raises RunError or whatever UbenchError came up."""
        cohorts = {"training": self._dispatch.admit(training), "validation": self._dispatch.admit(validation)}
        self._learn("fit", cohorts)

    def expect(self, cases: Cohort) -> None:
        """Have the process call the method's `expect`; it may ask for the cases' volumes from then on."""
        self._learn("expect", {"cases": self._dispatch.admit(cases)})

    def segment(self, cases: Cohort, case_id: str) -> Mask:
        """Have the process call the method's `segment` with one volume; returns a mask of its shape."""
        answered = self._call_with_volume("segment", cases, case_id)
        shape, name = self._open_case(case_id).placement.shape, self._plan.method.name
        found = str(answered["wrong"]) if "wrong" in answered else unlike_mask(answered["mask"], shape)
        if found is not None:
            raise wrong_mask(name, shape, found)
        return answered["mask"]

    def explain(self, cases: Cohort, case_id: str) -> Explanation | None:
        """Have the process call the method's `explain` with one volume; None where it has no steps to show."""
        answered = self._call_with_volume("explain", cases, case_id)
        found = unpack_explanation(answered["explanation"], _plain_text)
        return None if found is None else checked(found, cases[case_id], self._plan.method.name)

    def evidence(self) -> dict[str, Any]:
        """What was enforced and how many volumes were handed over, for run.json."""
        seal: dict[str, Any] = {"mode": self._mode, "reason": self._reason, "volumes": dict(self._dispatch.volumes)}
        if self._mode == SEALED:
            refused = [tried["what"] for tried in self._process.probes]
            seal |= {"landlock_abi": landlock.abi(), "network": NO_NETWORK, **self._process.enforced}
            seal |= {"refused": refused, "refused_calls": self._process.refused_calls}
        return seal

    def peak_memory(self) -> dict[str, int]:
        """The most memory that the process has held, in bytes, as it says itself; nothing where it never worked."""
        if not self._opened:
            return {}
        said: Mapping[str, Any] = {}
        with suppress(ProcessLost):
            said, _ = self._process.call("peak_memory", {})
        return {name: size for name in _PEAKS if isinstance(size := said.get(name), int) and 0 <= size < _MOST_BYTES}

    def _learn(self, what: str, cohorts: Message) -> None:
        try:
            self._call(what, cohorts)
        except Thrown as error:
            raise call_failed(self._plan.title, what, error.kind, error) from error

    def _call_with_volume(self, what: str, cases: Cohort, case_id: str) -> Mapping[str, Any]:
        message, files = self._dispatch.volume(cases.name, case_id)
        return self._call(what, message, files)

    def _call(self, what: str, values: Message, files: Sequence[int] = ()) -> Mapping[str, Any]:
        try:
            self._open()
            said, payload = self._process.call(what, values, files)
            return unpack(said, payload)
        except ProcessLost as error:
            raise ProcessLost(f"{self._plan.title}: {error}") from None
        except Exception as error:
            if error.args:
                error.args = (explain_refusal(str(error)) if self._mode == SEALED else str(error),)
            raise

    def _open(self) -> None:
        """Have the process make the method's object, before the first call."""
        if self._opened:
            return
        settings = self._plan.settings
        device = settle_device(settings.device).to_json()
        shared = {"seed": self._plan.seed, "device": device, "offline": settings.offline}
        shared["deterministic"] = settings.deterministic
        self._process.call("open", {"options": self._plan.method.options, **shared})
        self._opened = True


def _plain_text(text: str) -> str:
    """Return a line that a method wrote for a picture: no control characters, not too long."""
    return "".join(character if character.isprintable() else " " for character in text)[:200]


def _in_full(rules: Sequence[landlock.Rule], probes: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    allowed = [{"path": str(rule.path), "rights": _words(rule.rights)} for rule in rules if rule.path.exists()]
    allowed.append({"path": "its own folder in /proc", "rights": "read"})
    if policy.opens_gpu(rules):
        allowed.append({"path": "its own threads in /proc", "rights": "write"})
    return {"allowed": allowed, "refused": list(probes)}


def _words(rights: landlock.Right) -> str:
    if rights & landlock.Right.MAKE_REG:
        return "read and write"
    if rights & landlock.Right.WRITE_FILE:
        return "device"
    return "read" if rights & landlock.Right.READ_FILE else "list"
