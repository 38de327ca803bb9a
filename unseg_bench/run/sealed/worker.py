"""What the sealed process does for the runner: it inspects a method, fits it, and segments case after case."""

import mmap
import os
from contextlib import ExitStack
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unseg_bench.data.volume import Volume
from unseg_bench.plugins.method import Method
from unseg_bench.run.determinism import deterministic
from unseg_bench.run.performers import unlike_mask
from unseg_bench.run.sealed.inside import Line, SealedContext, use_handed_weights
from unseg_bench.run.sealed.inspection import inspect_class, load_method
from unseg_bench.sandbox.channel import Channel, Message
from unseg_bench.sandbox.wire import describe_error, pack_mask


def serve(channel: Channel, given: Message) -> None:
    """Serve the runner in the sealed process until it hangs up (Closed); `given`: where the method is."""
    Worker(channel, given).serve()


class Worker:
    """Serves the runner's calls one after the other. `given`: where the method is."""

    def __init__(self, channel: Channel, given: Message) -> None:
        self._channel, self._given = channel, given
        self._line = Line(channel, open_volume)
        self._method: Method | None = None
        self._stack = ExitStack()

    def serve(self) -> None:
        """Answer calls until the runner hangs up (Closed)."""
        use_handed_weights(self._line)
        calls = {
            "inspect": self._inspect,
            "open": self._open,
            "fit": self._fit,
            "expect": self._expect,
            "segment": self._segment,
        }
        while True:
            message, _, files = self._channel.receive(take_files=True)
            try:
                answer, payload = calls[message["call"]](message, files)
            except BaseException as error:  # noqa: BLE001 - whatever a method raises, SystemExit too, is told
                answer, payload = {"raised": describe_error(error)}, b""
            self._channel.send({"done": message["call"], **answer}, payload)

    def _inspect(self, message: Message, files: list[int]) -> tuple[Message, bytes]:
        return inspect_class(self._load(), message), b""

    def _open(self, message: Message, files: list[int]) -> tuple[Message, bytes]:
        self._stack.enter_context(deterministic(message["deterministic"]))
        method = self._load()
        self._method = method(method.Options.model_validate(message["options"]))
        self._context = SealedContext(
            self._line, seed=message["seed"], device=message["device"], offline=message["offline"]
        )
        return {}, b""

    def _fit(self, message: Message, files: list[int]) -> tuple[Message, bytes]:
        training, validation = (self._line.cohort(message[part]) for part in ("training", "validation"))
        self._opened().fit(training, validation, self._context)
        return {}, b""

    def _expect(self, message: Message, files: list[int]) -> tuple[Message, bytes]:
        self._opened().expect(self._line.cohort(message["cases"]), self._context)
        return {}, b""

    def _segment(self, message: Message, files: list[int]) -> tuple[Message, bytes]:
        volume = open_volume(message["volume"], files)
        mask = self._opened().segment(volume, self._context)
        if (found := unlike_mask(mask, None)) is not None:
            return {"wrong": found}, b""
        return {"shape": list(mask.shape)}, pack_mask(mask)

    def _opened(self) -> Method:
        assert self._method is not None  # noqa: S101 - the runner opens the method first
        return self._method

    def _load(self) -> type[Method]:
        return load_method(self._given["method"])


def open_volume(facts: dict[str, Any], files: list[int]) -> Volume:
    """Return the volume whose two files (image, brain) were handed over, as read-only memory maps."""
    image, brain = (_map_array(file) for file in files)
    x, y, z = facts["spacing_mm"]
    return Volume(facts["case"], image, brain, (x, y, z), facts["digest"])


def _map_array(file: int) -> NDArray[Any]:
    with os.fdopen(file, "rb") as stream:
        version = np.lib.format.read_magic(stream)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read(stream)
        mapped = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        array = np.frombuffer(mapped, dtype, count=int(np.prod(shape)), offset=stream.tell())
    return array.reshape(shape, order="F" if fortran else "C")
