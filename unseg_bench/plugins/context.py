"""What a method can ask of the harness while it runs: stages, labels (if declared), progress."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from unseg_bench.data.cohort import Cohort
from unseg_bench.data.volume import Image, Mask, Volume
from unseg_bench.plugins.confidence import checked_confidence
from unseg_bench.plugins.device import confirm_device
from unseg_bench.plugins.host import Host
from unseg_bench.plugins.outputs import checked_alternative, checked_map
from unseg_bench.plugins.stage import Artifact, Call, Input, Stage, Work, stage
from unseg_bench.plugins.tables import Rows, plain_rows, refuse_own_name, table_text

__all__ = ["Artifact", "Context", "Input", "Labels", "Stage", "Work", "stage"]


class Labels:
    """The access to reference masks. Every read is written to the run's ledger; what was not declared is refused."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def mask(self, case_id: str, purpose: str) -> Mask:
        """Return the whole-tumour reference on the prepared volume's grid; raises LabelAccessError if not granted."""
        return self._host.label("mask", case_id, purpose)

    def slice_labels(self, case_id: str, purpose: str) -> NDArray[np.bool_]:
        """Return, per axial slice of the prepared volume, whether it has tumour; raises LabelAccessError."""
        return self._host.label("slice-labels", case_id, purpose)


class Context:
    """What `fit` and `segment` can use of the harness. It asks its host, in this process or in the harness's."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self.labels = Labels(host)
        """The access to reference masks, for methods that declare supervision."""

    @property
    def seed(self) -> int:
        """The run's seed."""
        return self._host.seed

    @property
    def device(self) -> str:
        """Torch's name of the device, e.g. 'cpu' or 'cuda:0'; raises RunError where torch cannot compute on it."""
        return confirm_device(self._host.device)

    @property
    def offline(self) -> bool:
        """True when nothing may touch the network."""
        return self._host.offline

    @property
    def healthy(self) -> Cohort:
        """Volumes that the data set declares free of tumour; may be empty."""
        return self._host.healthy()

    def predicted_mask(self, source: str, case_id: str) -> Mask:
        """Return the mask of a case that another run predicted, or that lies in a folder, on the volume's grid.

        `source`: a run's folder (run.json, predictions/<case>.nii.gz), or a folder of <case>.nii.gz or <case>.nii;
        above 0 is tumour. What the other run read of labels counts as read here; a folder, of which nobody knows what
        went into it, makes the label-free column 'unknown'. Ask outside of stages, and only for a source that the user
        named in an option. Raises LabelAccessError for reference masks, DataError naming file and remedy where there is
        no such mask, or where it belongs to other data or lies on another grid.
        """
        return self._host.predicted_mask(str(source), str(case_id))

    def run(
        self, step: Stage, options: BaseModel | None = None, *, extras: Mapping[str, Any] | None = None, **inputs: Input
    ) -> Artifact:
        """Run a stage, or take its result from the cache; raises RunError naming the stage when it fails.

        `inputs` are handed to the stage's function by name and are part of the cache key. `extras` are handed over
        too but are not part of the key: they must not change the result (the access to labels, beside their digest).
        """
        call = Call(step, options, inputs, self.seed)
        place = self._host.stage(step.name, call.key, call.cases)
        if isinstance(place, Artifact):
            return place
        try:
            call.compute(Work(place.folder, place.scratch, call.stage_seed, self.device, self.progress), extras or {})
        except BaseException:
            self._host.stage_failed()
            raise
        return self._host.stage_done()

    def record_weights(self, name: str, sha256: str) -> None:
        """Write into run.json which pretrained weights were used."""
        self._host.record_weights(name, sha256)

    def note(self, event: str, values: Mapping[str, Any]) -> None:
        """Write a line to the run's log.jsonl (JSON values)."""
        self._host.note(event, dict(values))

    def table(self, name: str, rows: Rows) -> None:
        """Write `tables/<name>.csv` into the run's folder, replacing it; the first row's names are on top.

        `name`: letters, digits, '-' and '_'. Raises ValueError for another name, for 'confidence', which is the
        harness's own table, and where rows differ in their names.
        """
        refuse_own_name(name)
        table_text(name, rows)
        self._host.table(name, plain_rows(rows))

    def keep_map(self, volume: Volume, scores: Image) -> None:
        """Hand over what a case's mask was cut from, (X, Y, Z) float, higher where tumour is likelier.

        Called inside `segment`, at most once per case. Written as `maps/<case>.nii.gz` if the run was asked to keep
        maps (`--keep-maps`), else forgotten. Raises ValueError for another shape or values that are not finite.
        """
        self._host.keep_map(volume.case_id, checked_map(volume.shape, scores))

    def alternative(self, volume: Volume, name: str, mask: Mask) -> None:
        """Hand over another answer for a case, e.g. at another threshold; scored beside the run's own.

        Called inside `segment`. Written as `alternatives/<name>/<case>.nii.gz`. `name`: letters, digits, '-', '_' and
        '.', not starting with '.'. Raises ValueError for other names or shapes.
        """
        self._host.alternative(volume.case_id, name, checked_alternative(volume.shape, name, mask))

    def confidence(self, volume: Volume, value: float, parts: Mapping[str, float] | None = None) -> None:
        """State how far the answer for a case can be trusted: `value` from 0 (not at all) to 1.

        Called inside `segment`, at most once per case; made without labels, as the mask is. It is kept in run.json and
        shown per case; `Method.look_below` says below which value a case should be looked at. `parts`: the named,
        finite numbers that the value was made of; 32 names in a run at most, of letters, digits, '-' and '_'.
        Raises ValueError for other values or names.
        """
        self._host.confidence(volume.case_id, *checked_confidence(value, {} if parts is None else parts))

    def progress(self, done: int, total: int, note: str = "") -> None:
        """Report that `done` of `total` steps are finished, outside a stage."""
        self._host.progress(int(done), int(total), str(note))
