"""What a method has of the harness inside the seal: a context whose every wish goes to the runner."""

import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from unseg_bench.data.cohort import Cohort
from unseg_bench.data.volume import Image, Mask, Volume
from unseg_bench.errors import RunError
from unseg_bench.plugins.context import Artifact, Input, Stage
from unseg_bench.plugins.handover import checked_alternative, checked_map
from unseg_bench.plugins.tables import Rows, plain_rows, table_text
from unseg_bench.run.device import pick_device
from unseg_bench.run.stages import Call, StageWork, call_function, stage_seed
from unseg_bench.sandbox.channel import Channel, Message
from unseg_bench.sandbox.wire import describe_error, pack_mask, revive_error

OpenVolume = Callable[[dict[str, Any], list[int]], Volume]


class Line:
    """Questions to the runner, one at a time, and words to it that need no answer."""

    def __init__(self, channel: Channel, open_volume: OpenVolume) -> None:
        self._channel, self._open_volume = channel, open_volume
        self._asking = threading.Lock()
        self._process = os.getpid()

    def tell(self, what: str, **values: Any) -> None:  # noqa: ANN401 - whatever JSON can hold
        """Say something to the runner; a copy of this process that the method forked is not heard."""
        if os.getpid() == self._process:
            self._channel.send({"tell": what, **values})

    def ask(self, what: str, **values: Any) -> Message:  # noqa: ANN401
        """Return the runner's answer; raises what the runner raised, RunError in a fork of this process."""
        return self._ask(what, values)[0]

    def hand(self, what: str, payload: bytes, **values: Any) -> None:  # noqa: ANN401
        """Give bytes to the runner and wait until it has taken them; raises what the runner raised."""
        self._ask(what, values, payload)

    def array(self, what: str, **values: Any) -> NDArray[Any]:  # noqa: ANN401
        """Return the array that the runner hands over as an open file; raises what the runner raised."""
        _, (file,) = self._ask(what, values)
        with os.fdopen(file, "rb") as stream:
            return np.load(stream, allow_pickle=False)

    def cohort(self, listing: Message) -> Cohort:
        """Return a cohort whose volumes the runner hands over one by one."""
        name = str(listing["name"])

        def load(case_id: str) -> Volume:
            answer, files = self._ask("volume", {"cohort": name, "case": case_id})
            return self._open_volume(answer, files)

        cohort = Cohort(name, [(case_id, digest) for case_id, digest in listing["digests"]], load)
        cohort.digest = str(listing.get("digest", cohort.digest))
        return cohort

    def _ask(self, what: str, values: Mapping[str, Any], payload: bytes = b"") -> tuple[Message, list[int]]:
        if os.getpid() != self._process:
            raise RunError(
                "in a sealed run only the method's own process can ask for volumes and stages: open them before a "
                "fork, or use threads (or run with --sealed off)"
            )
        with self._asking:
            self._channel.send({"ask": what, **values}, payload)
            answer, _, files = self._channel.receive(take_files=True)
        if "raised" in answer:
            raise revive_error(answer["raised"])
        return answer, files


class SealedLabels:
    """The door to references as a sealed method sees it: shut. The runner says why."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def mask(self, case_id: str, purpose: str) -> Mask:
        """Raise LabelAccessError."""
        return self._refused("mask", case_id, purpose)

    def slice_labels(self, case_id: str, purpose: str) -> NDArray[np.bool_]:
        """Raise LabelAccessError."""
        return self._refused("slice_labels", case_id, purpose)

    def _refused(self, kind: str, case_id: str, purpose: str) -> NDArray[np.bool_]:
        self._line.ask("label", kind=kind, case=case_id, purpose=purpose)
        raise RunError("the runner granted a label to a sealed method")


class SealedContext:
    """What `fit` and `segment` are given (see `unseg_bench.plugins.context.Context`)."""

    def __init__(self, line: Line, *, seed: int, device: str, offline: bool) -> None:
        self.seed, self.offline = seed, offline
        self.labels = SealedLabels(line)
        self._line, self._device = line, device

    @property
    def device(self) -> str:
        """Torch's name of the device."""
        return pick_device(self._device)

    @property
    def healthy(self) -> Cohort:
        """Volumes that the data set declares free of tumour."""
        return self._line.cohort(self._line.ask("healthy"))

    def predicted_mask(self, source: str, case_id: str) -> Mask:
        """Return a case's mask of another run or of a folder, which the runner reads, checks and writes down."""
        return self._line.array("predicted mask", source=str(source), case=str(case_id))

    def run(
        self, step: Stage, options: BaseModel | None = None, *, extras: Mapping[str, Any] | None = None, **inputs: Input
    ) -> Artifact:
        """Run a stage here, or take a sealed result from the cache; raises RunError naming the stage when it fails."""
        call = Call(step, options, inputs, self.seed)
        place = self._line.ask("stage", stage=step.name, key=call.key, device=self.device)
        if "folder" in place:
            work = StageWork(
                Path(place["folder"]), Path(place["scratch"]), stage_seed(call), self.device, self.progress
            )
            try:
                call_function(call, work, extras or {})
            except BaseException as error:
                self._line.ask("stage failed", error=describe_error(error))
                raise
            place = self._line.ask("stage done")
        return Artifact(step.name, Path(place["result"]), place["digest"])

    def record_weights(self, name: str, sha256: str) -> None:
        """Write into run.json which pretrained weights were used."""
        self._line.tell("weights used", name=name, sha256=sha256)

    def note(self, event: str, values: Mapping[str, Any]) -> None:
        """Write a line to the run's log.jsonl."""
        self._line.tell("note", event=event, values=dict(values))

    def table(self, name: str, rows: Rows) -> None:
        """Have the runner write `tables/<name>.csv`; raises ValueError for other names or uneven rows."""
        table_text(name, rows)
        self._line.ask("table", name=name, rows=plain_rows(rows))

    def keep_map(self, volume: Volume, scores: Image) -> None:
        """Have the runner write `maps/<case>.nii.gz` if the run keeps maps; raises ValueError as the protocol says."""
        values = checked_map(volume.shape, scores)
        self._line.hand("map", values.tobytes(), case=volume.case_id, shape=list(values.shape))

    def alternative(self, volume: Volume, name: str, mask: Mask) -> None:
        """Have the runner write `alternatives/<name>/<case>.nii.gz`; raises ValueError as the protocol says."""
        checked = checked_alternative(volume.shape, name, mask)
        bits = pack_mask(checked)
        self._line.hand("alternative", bits, case=volume.case_id, name=name, shape=list(checked.shape))

    def progress(self, done: int, total: int, note: str = "") -> None:
        """Report that `done` of `total` steps are finished."""
        self._line.tell("progress", done=int(done), total=int(total), note=str(note))


def use_handed_weights(line: Line) -> None:
    """Have `unseg_bench.blocks.weights` ask the runner for files: it finds, fetches and checks them outside."""
    from unseg_bench.blocks import weights

    def find(name: str, offline: bool) -> weights.WeightsFile:
        answer = line.ask("weights", name=name, offline=offline)
        return weights.WeightsFile(Path(answer["path"]), str(answer["sha256"]), name)

    weights.find_through(find)
