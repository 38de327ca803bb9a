"""Which device a run computes on, and what there is to say about this machine."""

import os
import platform
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from unseg_bench.cpus import usable_cpus
from unseg_bench.errors import SettingsError

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

_GPU_FILES = ("/dev/nvidiactl", "/dev/nvidia0", "/dev/kfd", "/dev/dxg")


@cache
def pick_device(asked: str) -> str:
    """Return torch's name of the device ('auto': a GPU where there is one); raises SettingsError if it is not there."""
    if asked == "cpu" or (asked == "auto" and not _may_have_gpu()):
        return "cpu"
    import torch

    if asked == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(asked)
    except RuntimeError as error:
        raise SettingsError(f"--device {asked}: not a device; use auto, cpu, cuda or cuda:N") from error
    if device.type == "cuda" and (not torch.cuda.is_available() or (device.index or 0) >= torch.cuda.device_count()):
        raise SettingsError(f"--device {asked}: torch sees {torch.cuda.device_count()} GPUs here; use auto or cpu")
    if device.type not in {"cpu", "cuda"}:
        try:
            torch.ones(1, device=device).item()
        except (RuntimeError, NotImplementedError, AssertionError) as error:
            raise SettingsError(f"--device {asked}: torch cannot compute on it here; use auto or cpu") from error
    return str(device)


def _may_have_gpu() -> bool:
    """Whether a look with torch is worth the seconds of its import: on Linux a GPU has device files."""
    return not sys.platform.startswith("linux") or any(Path(file).exists() for file in _GPU_FILES)


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
