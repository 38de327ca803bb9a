"""The NVIDIA driver, asked through its own library: which GPUs are there, in a moment and without torch.

Starting it is also what makes `/dev/nvidia-uvm` appear on a machine that has not computed yet. Source: the CUDA driver
API (`cuda.h`).
"""

import ctypes
import os
import re
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

_LIBRARY = "libcuda.so.1"
_DEVICE_FILES = ("/dev/nvidiactl", "/dev/nvidia0", "/dev/dxg")
_VERSION_FILE = Path("/proc/driver/nvidia/version")
_NO_DEVICE = 100
_CAPABILITY_MAJOR, _CAPABILITY_MINOR = 75, 76
_LONGEST_NAME = 256
_MEANINGS = {
    3: "it is not initialised",
    46: "the GPU is used by another process that does not share it",
    100: "it shows no GPU",
    101: "the number of a GPU is too high",
    304: "the system refused it something",
    802: "the GPUs of this machine are not ready yet",
    803: "the driver's library and its kernel module have different versions",
    804: "the driver's library is too old or too new for its kernel module",
    999: "it gave no reason; after a sleep of the machine, a new start of it helps",
}


class DriverError(Exception):
    """A GPU's driver is there and does not work; the message says what it answered."""


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU: its model, memory in bytes, and compute capability, e.g. (8, 0)."""

    model: str
    memory_bytes: int
    capability: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Found:
    """The GPUs that this process may use, in CUDA's order, and the driver's version as text."""

    gpus: tuple[Gpu, ...]
    version: str


@cache
def find_gpus() -> Found:
    """Start the driver and return the GPUs that it shows; none without device files of a GPU.

    `CUDA_VISIBLE_DEVICES` hides some, as it does from torch. Raises DriverError where there is a GPU whose driver or
    library does not work.
    """
    if not any(Path(file).exists() for file in _DEVICE_FILES):
        return Found((), "")
    try:
        library = _load()
    except OSError as error:
        raise DriverError(f"its library {_LIBRARY} cannot be loaded ({error})") from None
    code = int(library.cuInit(ctypes.c_uint(0)))
    if code == _NO_DEVICE and os.environ.get("CUDA_VISIBLE_DEVICES") is not None:
        return Found((), _version(library))
    _check("cuInit", code)
    count = ctypes.c_int()
    _check("cuDeviceGetCount", library.cuDeviceGetCount(ctypes.byref(count)))
    return Found(tuple(_gpu(library, index) for index in range(count.value)), _version(library))


def _load() -> Any:  # noqa: ANN401 - its functions are known by name only
    return ctypes.CDLL(_LIBRARY)


def _gpu(library: Any, index: int) -> Gpu:  # noqa: ANN401
    device, memory, name = ctypes.c_int(), ctypes.c_size_t(), ctypes.create_string_buffer(_LONGEST_NAME)
    _check("cuDeviceGet", library.cuDeviceGet(ctypes.byref(device), ctypes.c_int(index)))
    _check("cuDeviceGetName", library.cuDeviceGetName(name, ctypes.c_int(_LONGEST_NAME), device))
    _check("cuDeviceTotalMem", library.cuDeviceTotalMem_v2(ctypes.byref(memory), device))
    major, minor = (_attribute(library, number, device) for number in (_CAPABILITY_MAJOR, _CAPABILITY_MINOR))
    return Gpu(name.value.decode("utf-8", "replace"), int(memory.value), (major, minor))


def _attribute(library: Any, number: int, device: ctypes.c_int) -> int:  # noqa: ANN401
    value = ctypes.c_int()
    _check("cuDeviceGetAttribute", library.cuDeviceGetAttribute(ctypes.byref(value), ctypes.c_int(number), device))
    return int(value.value)


def _version(library: Any) -> str:  # noqa: ANN401
    """Return the driver's version, or that of the CUDA that it brings where the first is not told."""
    with suppress(OSError):
        if found := re.search(r"\d{3,}\.\d+(\.\d+)*", _VERSION_FILE.read_text(encoding="utf-8", errors="replace")):
            return found[0]
    number = ctypes.c_int()
    _check("cuDriverGetVersion", library.cuDriverGetVersion(ctypes.byref(number)))
    return f"of CUDA {number.value // 1000}.{number.value % 1000 // 10}"


def _check(call: str, code: int) -> None:
    if code:
        meaning = f": {_MEANINGS[code]}" if code in _MEANINGS else ""
        raise DriverError(f"{call} ended with error {code}{meaning}")
