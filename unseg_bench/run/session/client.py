"""The host as a method's own process sees it: every question goes over the line to the run's host."""

import os
import threading
from collections.abc import Callable
from typing import Any

from unseg_bench.data.cohort import Cohort
from unseg_bench.data.volume import Volume
from unseg_bench.errors import RunError
from unseg_bench.plugins.host import ASKED, TOLD, Host
from unseg_bench.run.session.codec import cohort_from, pack, understand
from unseg_bench.sandbox.channel import Channel, Message
from unseg_bench.sandbox.wire import revive_error


class Line:
    """Questions to the harness, one at a time, and words to it that need no answer."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._asking = threading.Lock()
        self._process = os.getpid()

    def tell(self, what: str, *values: Any) -> None:  # noqa: ANN401 - whatever JSON can hold
        """Say something; a copy of this process that the method forked is not heard."""
        if os.getpid() == self._process:
            self._channel.send({"tell": what, "values": list(values)})

    def ask(self, what: str, *values: Any) -> Any:  # noqa: ANN401
        """Return the host's answer; raises what the host raised, RunError in a fork of this process."""
        if os.getpid() != self._process:
            raise RunError(
                "only the method's own process can ask for volumes and stages: open them before a fork, or use threads"
            )
        plain, payload = pack(list(values))
        with self._asking:
            self._channel.send({"ask": what, "values": plain}, payload)
            answer, _, files = self._channel.receive(take_files=True)
        if "raised" in answer:
            raise revive_error(answer["raised"])
        return understand(answer, files, self.volume)

    def volume(self, cohort: str, case_id: str) -> Volume:
        """Open a volume of a cohort that this process was given."""
        return self.ask("volume", cohort, case_id)

    def cohort(self, described: Message) -> Cohort:
        """Return a cohort whose volumes the harness hands over one by one."""
        return cohort_from(described, self.volume)


class RemoteHost(Host):
    """The run's host, over the line: every member of Host asks `run.host.RunHost` for the same, or tells it."""

    def __init__(self, line: Line, *, seed: int, device: str, offline: bool) -> None:
        self._line = line
        self.seed, self.device, self.offline = seed, device, offline


def _over_the_line(name: str) -> Callable[..., Any]:
    def ask(self: RemoteHost, *values: Any) -> Any:  # noqa: ANN401 - as the member of Host of this name says
        return (self._line.tell if name in TOLD else self._line.ask)(name, *values)  # pyright: ignore[reportPrivateUsage] - a method of its class

    return ask


for _name in (*ASKED, *TOLD):
    setattr(RemoteHost, _name, _over_the_line(_name))
