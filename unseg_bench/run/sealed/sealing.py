"""Whether a run can be sealed, what its process may open, what it must fail to open, and what run.json says of it."""

import errno
import importlib
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unseg_bench.data.paths import cache_dir, home_dir
from unseg_bench.data.supervision import Supervision
from unseg_bench.errors import UbenchError
from unseg_bench.plugins.dataset import Dataset
from unseg_bench.run.data_files import data_folders, image_files, reference_files
from unseg_bench.run.digests import digest_of
from unseg_bench.run.folder import RunFolder
from unseg_bench.run.mask_sources import named_sources
from unseg_bench.run.sealed.inspection import MethodCard, card_from_json, said_of, where_of_file
from unseg_bench.run.settings import RunSettings
from unseg_bench.run.stages import StageCache
from unseg_bench.sandbox import landlock, policy, probe, seccomp
from unseg_bench.sandbox.process import NotSealed, SandboxProcess
from unseg_bench.sandbox.workspace import Workspace, only_plain_files

if TYPE_CHECKING:
    from unseg_bench.run.plan import RunPlan

SEALED, LEDGER = "sealed", "ledger"
SERVER = "unseg_bench.run.sealed.worker:serve"
"""What the sealed process calls once it is locked."""
NO_NETWORK = "no sockets at all (seccomp)"
HINT = " (the seal refused it: see docs/label-firewall.md for what a sealed method may open; --sealed off runs without)"


def obstacle(supervision: Supervision, asked: str) -> str | None:
    """Return why a method of this supervision is not sealed when `asked` for 'auto', 'required' or 'off'; else None."""
    if supervision is not Supervision.NONE:
        return f"declares supervision '{supervision}'"
    if asked == "off":
        return "--sealed off"
    return kernel_obstacle()


def kernel_obstacle() -> str | None:
    """Return what this system lacks for a seal, None where it has everything."""
    if landlock.abi() == 0:
        return f"this system has no Landlock ({platform.system()} {platform.release()})"
    if not seccomp.supported():
        return f"no filter of system calls is known for {platform.system()} on {platform.machine()}"
    return None


def inspect_file(
    written: str, variants: Mapping[str, RunSettings], dataset: type[Dataset]
) -> dict[str, MethodCard] | None:
    """Have a sealed process import a method's file and say what there is to know of it, by label of the settings.

    None: nothing can be sealed, or the method declares supervision, so the file is to be loaded here. Raises
    PluginError or SettingsError as loading it here would.
    """
    path = Path(written)
    if next(iter(variants.values())).sealed == "off" or kernel_obstacle() is not None or not path.is_file():
        return None
    where = where_of_file(path)
    room = Workspace(where["module"])
    rules = [*policy.interpreter_rules([path.resolve()], dataset_files(dataset)), *room.rules]
    cards: dict[str, MethodCard] = {}
    try:
        with SandboxProcess(
            room, rules, socket_probes(), SERVER, {"method": where}, _no_answer, lambda _: None
        ) as cell:
            asked = {"written": written, "default_preset": dataset.default_preset}
            for label, settings in variants.items():
                with said_of(label):
                    answer, _ = cell.call("inspect", {"settings": settings.model_dump(mode="json"), **asked})
                cards[label] = card_from_json(answer["card"])
    except NotSealed:
        return None
    except UbenchError as error:
        raise type(error)(explain_refusal(str(error).replace(str(path.resolve()), written))) from error
    finally:
        room.leave()
    return cards if all(card.supervision is Supervision.NONE for card in cards.values()) else None


def explain_refusal(message: str) -> str:
    """Add to a message that tells of a refused file or call what refused it."""
    refused = any(os.strerror(code) in message for code in (errno.EACCES, errno.EROFS))
    return message + HINT if refused else message


def rules_of(plan: "RunPlan", room: Workspace) -> list[landlock.Rule]:
    """Return what the method's process may open; raises NotSealed when that would open data or results.

    The data set's own code is left out, so that it cannot make or find references for the method.
    """
    rules = policy.interpreter_rules([own_files(plan)], dataset_files(type(plan.dataset)))
    if plan.settings.device != "cpu":
        rules += policy.gpu_rules()
    rules += room.rules
    protected = [*data_files(plan), plan.folder.path.parent, cache_dir()]
    if (hole := policy.find_hole(rules, protected)) is not None:
        opened, path = hole
        raise NotSealed(f"{path} lies inside {opened}, which Python or the plugin needs to read; move one of them")
    return rules


def stages_in(room: Workspace) -> StageCache:
    """Return a plugin's sealed stages; what its process leaves as a result is looked at before it is kept."""
    return StageCache(room.stages, room.partials, only_plain_files)


def owner_of(plan: "RunPlan") -> str:
    """Return the name under which a method's sealed processes share stages: its file's module, or its package.

    One that may be given masks of others has stages of its own: what it leaves there may tell of labels that were read
    for those masks, and a run without them must not find it.
    """
    module = str(plan.method.where["module"])
    owner = module if plan.method.where["file"] else policy.own_package(module)[0]
    sources = sorted(str(Path(source).expanduser().resolve()) for source in named_sources(plan.method.flat))
    return f"{owner}+masks-{digest_of(sources)[:12]}" if sources else owner


def data_files(plan: "RunPlan") -> list[Path]:
    """Return images and references of the run's cases, and the folders that the data set's options name."""
    dataset, case_ids = plan.dataset, plan.used_case_ids
    return [*image_files(dataset, case_ids), *reference_files(dataset, case_ids), *data_folders(dataset)]


def probes_of(plan: "RunPlan", case_ids: Sequence[str]) -> list[dict[str, str]]:
    """Return what the process must fail to do before it may load the method; of the cases, the first is tried."""
    probes: list[dict[str, str]] = []
    for what, find in (("image file", image_files), ("reference mask", reference_files)):
        for file in find(plan.dataset, case_ids[:1]):
            probes.append(_probe(f"read the {what} of {case_ids[0]}", probe.READ, file))
            probes.append(_probe(f"list the folder of the {what}s", probe.LIST, file.parent))
    probes += [
        _probe("list the folder of runs", probe.LIST, plan.folder.path.parent),
        _probe("read this run's record", probe.READ, plan.folder.path / "run.json"),
        _probe("write into this run", probe.WRITE, plan.folder.path),
        _probe("list the stages of unsealed runs", probe.LIST, cache_dir() / "stages"),
        _probe("list the prepared images", probe.LIST, cache_dir() / "prepared"),
        _probe("write into the weights", probe.WRITE, cache_dir() / "weights"),
        *([_probe("list the home folder", probe.LIST, home)] if (home := home_dir()) else []),
        _probe("read the runner's memory", probe.READ, Path(f"/proc/{os.getpid()}/mem")),
        _probe("list the runner's open files", probe.LIST, Path(f"/proc/{os.getpid()}/fd")),
    ]
    return [*(one for one in probes if Path(one["path"]).exists()), *socket_probes()]


def socket_probes() -> list[dict[str, str]]:
    """Return the probes of the network, which need no data."""
    return [
        {"what": "make a network connection", "kind": probe.CONNECT, "path": "network"},
        {"what": "connect to a service on this machine", "kind": probe.CONNECT, "path": "local"},
    ]


def add_seal(folder: RunFolder, seal: dict[str, Any], *, anew: bool = False) -> None:
    """Write into run.json what was enforced; of a run made in several goes, the weakest counts unless all is `anew`."""
    before: dict[str, Any] = folder.record.get("seal", {})
    has_predictions = any((folder.path / "predictions").glob("*.nii.gz"))
    if not anew and has_predictions and seal["mode"] == SEALED and before.get("mode") != SEALED:
        seal = {**seal, "mode": LEDGER, "reason": "some cases were segmented before, without a seal"}
    if not anew:
        for name in ("opened_data_files", "opened_files", "started_programs"):
            if name in before:
                seal = {**seal, name: max(before[name], seal.get(name, 0))}
        seal = {**seal, "weights": {**before.get("weights", {}), **seal.get("weights", {})}}
    folder.update({"seal": seal})


def own_files(plan: "RunPlan") -> Path:
    """Return the file, or the folder of the package, that a method's code is in."""
    file = plan.method.where["file"]
    return Path(file).resolve() if file else policy.own_package(plan.method.where["module"])[1]


def _probe(what: str, kind: str, path: Path) -> dict[str, str]:
    return {"what": what, "kind": kind, "path": str(path.resolve())}


def _no_answer(question: dict[str, Any]) -> tuple[dict[str, Any], Sequence[int]]:
    raise UbenchError(f"a method was asked what it is, and asked for '{question.get('ask')}'")


def dataset_files(dataset: type[Dataset]) -> list[Path]:
    """Return the files (folders, of packages) of a data set's own module and of those that make its references."""
    return [_module_files(name) for name in (dataset.__module__, *dataset.makers)]


def _module_files(module_name: str) -> Path:
    file = Path(str(importlib.import_module(module_name).__file__)).resolve()
    return file.parent if file.name == "__init__.py" else file
