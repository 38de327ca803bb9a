"""What a method's own process does for the harness: it describes a method, checks it, fits it, segments, explains."""

from contextlib import ExitStack
from functools import partial
from typing import Any

import numpy as np

from unseg_bench.blocks.weights import find_through
from unseg_bench.plugins.context import Context
from unseg_bench.plugins.determinism import deterministic
from unseg_bench.plugins.device import CPU, Device, confirm_driver, peak_memory
from unseg_bench.plugins.explain import checked
from unseg_bench.plugins.method import Method
from unseg_bench.plugins.outputs import unlike_mask
from unseg_bench.run.method_card import Where, describe_class, load_method
from unseg_bench.run.session.client import Line, RemoteHost
from unseg_bench.run.session.codec import open_volume, pack, pack_explanation
from unseg_bench.sandbox.channel import Channel, Message
from unseg_bench.sandbox.wire import describe_error


def serve(channel: Channel, given: Message) -> None:
    """Serve the harness until it hangs up (Closed); `given`: where the method is."""
    Server(channel, Where(**given["where"])).serve()


class Server:
    """Serves the harness's calls one after the other."""

    def __init__(self, channel: Channel, where: Where) -> None:
        self._channel, self._where = channel, where
        self._line = Line(channel)
        self._method: Method | None = None
        self._device = CPU
        self._stack = ExitStack()

    def serve(self) -> None:
        """Answer calls until the harness hangs up (Closed)."""
        self._stack.enter_context(find_through(partial(self._line.ask, "weights")))
        calls = {
            "describe": self._describe,
            "facts": self._facts,
            "check": self._check,
            "open": self._open,
            "fit": self._fit,
            "expect": self._expect,
            "segment": self._segment,
            "explain": self._explain,
            "peak_memory": self._peak_memory,
        }
        while True:
            message, _, files = self._channel.receive(take_files=True)
            try:
                answer, payload = pack(calls[message["call"]](message, files))
            except BaseException as error:  # noqa: BLE001 - whatever a method raises, SystemExit too, is told
                answer, payload = {"raised": describe_error(error)}, b""
            self._channel.send({"done": message["call"], **answer}, payload)

    def _describe(self, message: Message, files: list[int]) -> Message:
        return {"description": describe_class(load_method(self._where), message)}

    def _facts(self, message: Message, files: list[int]) -> Message:
        from unseg_bench.plugins.method_facts import method_facts

        return {"facts": method_facts(load_method(self._where)).model_dump(mode="json")}

    def _check(self, message: Message, files: list[int]) -> Message:
        from unseg_bench.plugins.conformance import check_method

        results = check_method(load_method(self._where))
        return {"results": [[result.name, result.passed, result.detail] for result in results]}

    def _open(self, message: Message, files: list[int]) -> Message:
        self._stack.enter_context(deterministic(message["deterministic"]))
        method = load_method(self._where)
        self._method = method(method.Options.model_validate(message["options"]))
        confirm_driver(device := Device.from_json(message["device"]))
        host = RemoteHost(self._line, seed=message["seed"], device=device.name, offline=message["offline"])
        self._device = device.name
        self._context = Context(host)
        return {}

    def _fit(self, message: Message, files: list[int]) -> Message:
        training, validation = (self._line.cohort(message[part]) for part in ("training", "validation"))
        self._opened().fit(training, validation, self._context)
        return {}

    def _expect(self, message: Message, files: list[int]) -> Message:
        self._opened().expect(self._line.cohort(message["cases"]), self._context)
        return {}

    def _segment(self, message: Message, files: list[int]) -> Message:
        mask: Any = self._opened().segment(open_volume(message["volume"], files), self._context)
        if (found := unlike_mask(mask, None)) is not None:
            return {"wrong": found}
        return {"mask": np.ascontiguousarray(mask)}

    def _explain(self, message: Message, files: list[int]) -> Message:
        volume = open_volume(message["volume"], files)
        method = self._opened()
        found = method.explain(volume, self._context)
        return {"explanation": pack_explanation(None if found is None else checked(found, volume, method.name))}

    def _peak_memory(self, message: Message, files: list[int]) -> Message:
        return dict(peak_memory(self._device))

    def _opened(self) -> Method:
        assert self._method is not None  # noqa: S101 - the harness opens the method first
        return self._method
