"""The device of a run: settled once in the runner, had by the method's process or an error, and named in the record."""

import importlib.util
import os
import platform
import re
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from unseg_bench.cpus import usable_cpus
from unseg_bench.errors import RunError, SettingsError
from unseg_bench.plugins.driver import DriverError, find_gpus
from unseg_bench.words import bytes_text

REPORTED = (
    "torch",
    "torchvision",
    "monai",
    "open_clip_torch",
    "segment-anything",
    "numpy",
    "scipy",
    "nibabel",
    "numba",
)
CPU = "cpu"
BFLOAT16_FROM = (8, 0)
"""The compute capability from which GPUs multiply bfloat16; older ones emulate it, slower than float32."""
_ASKED = re.compile(r"cuda(?::(\d{1,3}))?")
_ON_CPU = "--device cpu runs on the CPU"


@dataclass(frozen=True, slots=True)
class Device:
    """What a run computes on. `name` is torch's: 'cpu' or 'cuda:N'; the rest is a GPU's and empty on the CPU.

    `memory_bytes`: of the GPU. `capability`: its compute capability as text, such as '8.0'. `unused`: why a GPU that is
    there is not used.
    """

    name: str = CPU
    model: str = ""
    memory_bytes: int = 0
    driver: str = ""
    capability: str = ""
    unused: str = ""

    @property
    def kind(self) -> str:
        """'cpu' or 'cuda'."""
        return kind_of_device(self.name)

    @property
    def text(self) -> str:
        """In words: 'the CPU', or 'cuda:0 (NVIDIA A100, 42.3 GB, driver 570.86)', with what a reader must know."""
        if self.kind == CPU:
            return f"the CPU ({self.unused})" if self.unused else "the CPU"
        known = [self.model, bytes_text(self.memory_bytes), f"driver {self.driver}" if self.driver else ""]
        if self.capability and tuple(map(int, self.capability.split("."))) < BFLOAT16_FROM:
            known.append("no bfloat16, so mixed precision is float32")
        return f"{self.name} ({', '.join(part for part in known if part)})"

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON value, without what is empty."""
        return {name: value for name, value in asdict(self).items() if value}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Device":
        """Return the device that `to_json` described, or that a record names; unknown entries are passed over."""
        return cls(**{one.name: value[one.name] for one in fields(cls) if one.name in value})


def kind_of_device(name: str) -> str:
    """Return 'cpu' of 'cpu', 'cuda' of 'cuda:1'."""
    return name.partition(":")[0]


@cache
def settle_device(asked: str) -> Device:
    """Return the device of the runs that asked for this one ('auto': a GPU where there is one); it is asked once.

    Raises SettingsError for a device that is none, RunError for a GPU that is there and does not work.
    """
    if asked == CPU:
        return Device()
    wanted = _ASKED.fullmatch(asked)
    if asked != "auto" and wanted is None:
        raise SettingsError(f"--device {asked}: not supported; use auto, cpu, cuda or cuda:N (an NVIDIA or AMD GPU)")
    built_for = torch_builds()
    found = _of_torch() if "hip" in built_for else _of_driver()
    if not found:
        if wanted is not None:
            raise SettingsError(f"--device {asked}: no GPU is seen here; use auto or cpu")
        # A version without a GPU is what a driver gives whose GPUs are hidden.
        return Device(unused="CUDA_VISIBLE_DEVICES hides every GPU" if find_gpus().version else "")
    if not built_for:
        why = f"torch is built without CUDA, so {found[0].model} is not used"
        if wanted is not None:
            raise SettingsError(f"--device {asked}: {why}; install a torch that is built for it, or use cpu")
        return Device(unused=why)
    index = int(wanted[1] or 0) if wanted is not None else 0
    if index >= len(found):
        raise SettingsError(f"--device {asked}: {len(found)} GPUs are seen here, from cuda:0 on")
    return found[index]


@cache
def confirm_device(name: str) -> str:
    """Return torch's name of a run's device once torch has computed on it; raises RunError where it cannot."""
    if name == CPU:
        return name
    import torch

    try:
        # The device that is meant where none is named, by pinned memory say, is this one and not the first.
        torch.cuda.set_device(name)
        torch.ones(1, device=name).add(1).item()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        first_line = str(error).strip().partition("\n")[0]
        raise RunError(_lost(name, f"torch says: {first_line}")) from error
    return name


def confirm_driver(device: Device) -> None:
    """Raise RunError where this process does not see the GPU that the run was given; it loads no torch."""
    if device.kind == CPU or not device.driver:
        return
    try:
        seen = find_gpus().gpus
    except DriverError as error:
        raise RunError(_lost(device.name, str(error))) from None
    index = int(device.name.partition(":")[2])
    if index >= len(seen) or seen[index].model != device.model:
        raise RunError(_lost(device.name, f"its driver shows it {', '.join(gpu.model for gpu in seen) or 'no GPU'}"))


def _lost(name: str, why: str) -> str:
    return (
        f"the run computes on {name}, but the method's process cannot: {why}. `ubench info --gpu` tries that alone; "
        f"--sealed off runs without a seal, {_ON_CPU}"
    )


def peak_memory(name: str) -> dict[str, int]:
    """Return the most memory that this process has held, in bytes: its own, and of the GPU `name` where it used it."""
    import resource

    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    peak = {"process": int(own)}
    torch = sys.modules.get("torch")
    if name != CPU and torch is not None and torch.cuda.is_initialized():
        peak["gpu"] = int(torch.cuda.max_memory_reserved(name))
    return peak


def torch_builds() -> frozenset[str]:
    """Return what the installed torch is built for beside CPUs, of 'cuda' and 'hip' (AMD); it is not loaded."""
    spec = importlib.util.find_spec("torch")
    if spec is None or spec.origin is None:
        return frozenset()
    text = Path(spec.origin).with_name("version.py").read_text(encoding="utf-8")
    return frozenset(kind for kind in ("cuda", "hip") if re.search(rf"^{kind}\b[^=\n]*=\s*'", text, re.MULTILINE))


def _of_driver() -> list[Device]:
    try:
        found = find_gpus()
    except DriverError as error:
        raise RunError(f"there is an NVIDIA GPU, but its driver does not work: {error}. Mend it; {_ON_CPU}") from None
    return [
        Device(f"cuda:{index}", gpu.model, gpu.memory_bytes, found.version, "{}.{}".format(*gpu.capability))
        for index, gpu in enumerate(found.gpus)
    ]


def _of_torch() -> list[Device]:
    """Return the GPUs of a torch for AMD, which is asked itself."""
    import torch

    every = [torch.cuda.get_device_properties(index) for index in range(torch.cuda.device_count())]
    return [Device(f"cuda:{index}", one.name, int(one.total_memory)) for index, one in enumerate(every)]


def package_versions() -> dict[str, str]:
    """Return the versions of the packages that results depend on."""
    versions: dict[str, str] = {"unseg-bench": version("unseg-bench"), "python": platform.python_version()}
    for name in REPORTED:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "not installed"
    return versions


def machine() -> dict[str, Any]:
    """Return what a reader of run.json wants to know of the machine (no host name, no user). 'cpus': usable ones."""
    threads = os.environ.get("OMP_NUM_THREADS", "one a core")
    return {"system": platform.system(), "processor": platform.machine(), "cpus": usable_cpus(), "threads": threads}
