"""A library of CUDA's driver API that shows the GPUs that a test names, for `driver.find_gpus`."""

from collections.abc import Sequence
from typing import Any

A100, TURING = ("NVIDIA A100-SXM4-40GB", 42_300_000_000, (8, 0)), ("NVIDIA GeForce RTX 2080 Ti", 11_500_000_000, (7, 5))


class FakeDriver:
    """What `ctypes` would give for libcuda; `start` is what cuInit answers."""

    def __init__(self, gpus: Sequence[tuple[str, int, tuple[int, int]]], start: int = 0) -> None:
        self._gpus, self._start, self.starts = gpus, start, 0

    def cuInit(self, _flags: Any) -> int:  # noqa: N802 - the library's own name, as those below
        self.starts += 1
        return self._start

    def cuDeviceGetCount(self, count: Any) -> int:  # noqa: N802
        count._obj.value = len(self._gpus)
        return 0

    def cuDeviceGet(self, device: Any, index: Any) -> int:  # noqa: N802
        device._obj.value = index.value
        return 0

    def cuDeviceGetName(self, name: Any, _length: Any, device: Any) -> int:  # noqa: N802
        name.value = self._gpus[device.value][0].encode()
        return 0

    def cuDeviceTotalMem_v2(self, memory: Any, device: Any) -> int:  # noqa: N802
        memory._obj.value = self._gpus[device.value][1]
        return 0

    def cuDeviceGetAttribute(self, value: Any, number: Any, device: Any) -> int:  # noqa: N802
        value._obj.value = self._gpus[device.value][2][number.value - 75]
        return 0

    def cuDriverGetVersion(self, number: Any) -> int:  # noqa: N802
        number._obj.value = 12040
        return 0
