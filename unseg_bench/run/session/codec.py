"""What both ends of the line agree on: how values with arrays become JSON and bytes, and answers JSON and open files.

What comes from a method's process is data: arrays are bool or float32, their bytes must be as many as their shape says.
"""

import mmap
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from unseg_bench.blocks.weights import WeightsFile
from unseg_bench.data.cohort import Cohort
from unseg_bench.data.store import PreparedCase
from unseg_bench.data.volume import Volume
from unseg_bench.plugins.explain import Explanation, Step
from unseg_bench.plugins.host import Unfinished
from unseg_bench.plugins.stage import Artifact
from unseg_bench.sandbox.channel import Message

_ARRAY = "array"
_MAPPING = "mapping"
"""Stands where an array's type stands, for a mapping that has the name 'array' alone."""
Load = Callable[[str, str], Volume]
"""Called as (cohort, case id)."""


def pack(value: Any) -> tuple[Any, bytes]:  # noqa: ANN401 - nested lists and mappings of whatever JSON can hold
    """Return a value with arrays in it as JSON and the arrays' bytes."""
    parts: list[bytes] = []

    def walk(one: Any) -> Any:  # noqa: ANN401
        if isinstance(one, np.ndarray):
            array = cast("NDArray[Any]", one)
            parts.append(np.packbits(array).tobytes() if array.dtype == np.bool_ else array.tobytes())
            return {_ARRAY: [array.dtype.name, list(array.shape)]}
        if isinstance(one, np.generic):
            return one.item()
        if isinstance(one, Mapping):
            named = {str(name): walk(inner) for name, inner in cast("Mapping[str, Any]", one).items()}
            return {_ARRAY: [_MAPPING, named]} if named.keys() == {_ARRAY} else named
        if isinstance(one, list | tuple):
            return [walk(inner) for inner in cast("list[Any]", one)]
        return one

    plain = walk(value)
    return plain, b"".join(parts)


def unpack(value: Any, payload: bytes) -> Any:  # noqa: ANN401
    """Return what was packed; raises ValueError where bytes and shapes do not fit."""
    at = 0

    def walk(one: Any) -> Any:  # noqa: ANN401
        nonlocal at
        if isinstance(one, dict):
            mapping = cast("dict[str, Any]", one)
            if mapping.keys() == {_ARRAY}:
                kind, shape = mapping[_ARRAY]
                if kind == _MAPPING:
                    return {name: walk(inner) for name, inner in cast("dict[str, Any]", shape).items()}
                array, size = _array(kind, shape, payload, at)
                at += size
                return array
            return {name: walk(inner) for name, inner in mapping.items()}
        return [walk(inner) for inner in cast("list[Any]", one)] if isinstance(one, list) else one

    whole = walk(value)
    if at != len(payload):
        raise ValueError(f"{len(payload)} bytes came, {at} belong to arrays")
    return whole


def pack_explanation(explanation: Explanation | None) -> Any:  # noqa: ANN401
    """Return an explanation as mappings, lists and arrays."""
    if explanation is None:
        return None
    volume = explanation.volume
    return {
        "case": volume.case_id,
        "image": np.ascontiguousarray(volume.image, np.float32),
        "brain": np.ascontiguousarray(volume.brain),
        "spacing_mm": [float(value) for value in volume.spacing_mm],
        "steps": [
            {
                "title": step.title,
                "heat": None if step.heat is None else np.ascontiguousarray(step.heat, np.float32),
                "mask": None if step.mask is None else np.ascontiguousarray(step.mask),
                "boxes": [
                    [int(index), [list(map(float, box)) for box in boxes]] for index, boxes in step.boxes.items()
                ],
                "points": [
                    [int(index), [[float(x), float(y), bool(front)] for x, y, front in points]]
                    for index, points in step.points.items()
                ],
                "note": step.note,
            }
            for step in explanation.steps
        ],
    }


def unpack_explanation(value: Any, text: Callable[[str], str]) -> Explanation | None:  # noqa: ANN401
    """Return the explanation that was packed; its texts go through `text`. Raises KeyError, TypeError, ValueError."""
    if value is None:
        return None
    x, y, z = map(float, value["spacing_mm"])
    volume = Volume(text(str(value["case"])), value["image"], value["brain"], (x, y, z), "")
    steps = [
        Step(
            text(str(step["title"])),
            step["heat"],
            step["mask"],
            {
                int(index): [(float(a), float(b), float(c), float(d)) for a, b, c, d in boxes]
                for index, boxes in step["boxes"]
            },
            {int(index): [(float(a), float(b), bool(c)) for a, b, c in points] for index, points in step["points"]},
            text(str(step["note"])),
        )
        for step in value["steps"]
    ]
    return Explanation(volume, steps)


def volume_answer(name: str, case: PreparedCase) -> tuple[Message, list[int]]:
    """Return a volume as facts and its two files, opened; `name`: the id under which the method sees it."""
    facts = {"case": name, "spacing_mm": case.spacing_mm, "digest": case.digest}
    return {"volume": facts}, [os.open(path, os.O_RDONLY | os.O_CLOEXEC) for path in case.arrays]


def answer(value: object) -> tuple[Message, list[int]]:
    """Return what a host answered as JSON and open files."""
    if isinstance(value, np.ndarray):
        return {"array": True}, [_open_array(cast("NDArray[Any]", value))]
    if isinstance(value, Cohort):
        return {"cohort": listing(value)}, []
    if isinstance(value, Artifact):
        return {"artifact": [value.stage, str(value.folder), value.digest]}, []
    if isinstance(value, Unfinished):
        return {"unfinished": [str(value.folder), str(value.scratch)]}, []
    if isinstance(value, WeightsFile):
        return {"file": [str(value.path), value.sha256, value.name]}, []
    return {"value": value}, []


def understand(said: Message, files: Sequence[int], load: Load) -> Any:  # noqa: ANN401 - what the host returned
    """Return what a host answered; a cohort's volumes are opened by `load`."""
    ((kind, value),) = said.items()
    made: dict[str, Callable[[], object]] = {
        "array": lambda: _read_array(files[0]),
        "volume": lambda: open_volume(value, files),
        "cohort": lambda: cohort_from(value, load),
        "artifact": lambda: Artifact(value[0], Path(value[1]), value[2]),
        "unfinished": lambda: Unfinished(Path(value[0]), Path(value[1])),
        "file": lambda: WeightsFile(Path(value[0]), value[1], value[2]),
        "value": lambda: value,
    }
    return made[kind]()


def listing(cohort: Cohort) -> Message:
    """Describe a cohort."""
    return {"name": cohort.name, "digests": list(cohort.digests.items()), "digest": cohort.digest}


def cohort_from(described: Message, load: Load) -> Cohort:
    """Return the cohort that was described."""
    name = str(described["name"])
    cohort = Cohort(name, [(case, digest) for case, digest in described["digests"]], lambda case: load(name, case))
    cohort.digest = str(described["digest"])
    return cohort


def open_volume(facts: Message, files: Sequence[int]) -> Volume:
    """Return the volume whose two files (image, brain) were handed over, as read-only memory maps."""
    image, brain = (_map_array(file) for file in files)
    x, y, z = facts["spacing_mm"]
    return Volume(facts["case"], image, brain, (x, y, z), facts["digest"])


def _array(kind: str, shape: list[int], payload: bytes, at: int) -> tuple[NDArray[Any], int]:
    if kind not in {"bool", "float32"} or any(not isinstance(n, int) or n < 0 for n in shape):  # pyright: ignore[reportUnnecessaryIsInstance] - it came from outside
        raise ValueError(f"no array of {kind!r} and shape {shape!r} is taken")
    count = 1
    for n in shape:
        count *= n
    size = -(-count // 8) if kind == "bool" else 4 * count
    if at + size > len(payload):
        raise ValueError(f"an array of shape {shape} needs {size} bytes; {len(payload) - at} came")
    part = np.frombuffer(payload, np.uint8, size, at)
    if kind == "bool":
        return np.unpackbits(part, count=count).reshape(shape).view(np.bool_), size
    return part.view(np.float32).reshape(shape), size


def _open_array(array: NDArray[Any]) -> int:
    """Return an open file without a name that holds an array in NumPy's format."""
    file = _unnamed_file()
    with os.fdopen(file, "wb", closefd=False) as stream:
        np.save(stream, array, allow_pickle=False)
    os.lseek(file, 0, os.SEEK_SET)
    return file


def _unnamed_file() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("array")
    with TemporaryFile() as file:
        return os.dup(file.fileno())


def _read_array(file: int) -> NDArray[Any]:
    with os.fdopen(file, "rb") as stream:
        return np.load(stream, allow_pickle=False)


def _map_array(file: int) -> NDArray[Any]:
    with os.fdopen(file, "rb") as stream:
        version = np.lib.format.read_magic(stream)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read(stream)
        mapped = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        array = np.frombuffer(mapped, dtype, count=int(np.prod(shape)), offset=stream.tell())
    return array.reshape(shape, order="F" if fortran else "C")
