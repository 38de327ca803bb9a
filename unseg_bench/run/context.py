"""The context of a real run: stages go to the cache, label reads to the ledger, progress to the reporter."""

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel

from unseg_bench.data.cohort import Cohort
from unseg_bench.data.labels import LabelDoor
from unseg_bench.data.volume import Image, Mask, Volume
from unseg_bench.plugins.context import Artifact, Input, Stage
from unseg_bench.plugins.tables import Rows
from unseg_bench.run.desk import StageDesk, record_weights
from unseg_bench.run.device import pick_device
from unseg_bench.run.folder import RunFolder
from unseg_bench.run.handover import Forgotten, Handover
from unseg_bench.run.mask_sources import MaskSources
from unseg_bench.run.progress import Reporter
from unseg_bench.run.stages import Call, StageWork, call_function, stage_seed
from unseg_bench.run.tables import write_table


class RunContext:
    """What the runner hands to `fit` and `segment` (see `unseg_bench.plugins.context.Context`)."""

    def __init__(
        self,
        *,
        folder: RunFolder,
        seed: int,
        device: str,
        offline: bool,
        desk: StageDesk,
        labels: LabelDoor,
        masks: MaskSources,
        handover: Handover | Forgotten,
        healthy: Callable[[], Cohort],
        reporter: Reporter,
    ) -> None:
        """`healthy` is called at each use."""
        self.seed = seed
        self.offline = offline
        self.labels = labels
        self._folder, self._desk, self._reporter = folder, desk, reporter
        self._device_asked, self._healthy, self._masks = device, healthy, masks
        self._handover = handover

    @property
    def device(self) -> str:
        """Torch's name of the device; 'auto' takes a GPU where there is one."""
        return pick_device(self._device_asked)

    @property
    def healthy(self) -> Cohort:
        """Volumes that the data set declares free of tumour."""
        return self._healthy()

    def predicted_mask(self, source: str, case_id: str) -> Mask:
        """Return a case's mask of another run or of a folder, on the prepared grid; see the protocol."""
        return self._masks.mask(source, case_id, inside_stage=self._desk.busy)

    def run(
        self, step: Stage, options: BaseModel | None = None, *, extras: Mapping[str, Any] | None = None, **inputs: Input
    ) -> Artifact:
        """Run a stage, or take its result from the cache; raises RunError naming the stage when it fails."""
        call = Call(step, options, inputs, self.seed)
        with self._desk.attempt(step.name, call.key, lambda: self.device) as attempt:
            if attempt.artifact is None:
                report = self._reporter.step
                work = StageWork(attempt.folder, attempt.scratch, stage_seed(call), self.device, report)
                call_function(call, work, extras or {})
        return attempt.result

    def record_weights(self, name: str, sha256: str) -> None:
        """Write into run.json which pretrained weights were used."""
        record_weights(self._folder, name, sha256)

    def note(self, event: str, values: Mapping[str, Any]) -> None:
        """Write a line to the run's log.jsonl."""
        self._folder.log(event, values)

    def table(self, name: str, rows: Rows) -> None:
        """Write `tables/<name>.csv` into the run's folder; raises ValueError for other names or uneven rows."""
        write_table(self._folder, name, rows)

    def keep_map(self, volume: Volume, scores: Image) -> None:
        """Write `maps/<case>.nii.gz` if the run keeps maps; see the protocol. Raises RunError outside of `segment`."""
        self._handover.keep_map(volume.case_id, scores)

    def alternative(self, volume: Volume, name: str, mask: Mask) -> None:
        """Write `alternatives/<name>/<case>.nii.gz`; see the protocol. Raises RunError outside of `segment`."""
        self._handover.alternative(volume.case_id, name, mask)

    def progress(self, done: int, total: int, note: str = "") -> None:
        """Report that `done` of `total` steps are finished."""
        self._reporter.step(done, total, note)
