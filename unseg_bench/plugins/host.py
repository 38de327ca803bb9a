"""The host: whoever answers what a Context asks. A run has one, and so have the conformance kit and a dry run."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NoReturn, TypeAlias

from unseg_bench.data.cohort import Cohort
from unseg_bench.data.volume import Image, Mask
from unseg_bench.errors import RunError
from unseg_bench.plugins.stage import Artifact
from unseg_bench.plugins.tables import Rows

if TYPE_CHECKING:
    from unseg_bench.blocks.weights import WeightsFile

LabelKind: TypeAlias = Literal["mask", "slice-labels"]


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A stage to be made: its files go to `folder`, its checkpoints to `scratch`."""

    folder: Path
    scratch: Path


class Host:
    """Refuses everything; a host overrides what it can answer. Members: see `Context`, which asks them."""

    seed: int
    device: str
    """Torch's name of the device that was settled for the run: 'cpu' or 'cuda:N'."""
    offline: bool

    def label(self, kind: LabelKind, case_id: str, purpose: str) -> Mask:
        """Return a reference: (X, Y, Z), or for slice labels (Z,)."""
        self._refuse("a label")

    def predicted_mask(self, source: str, case_id: str) -> Mask:
        """Return another run's mask of a case."""
        self._refuse(f"masks of {source}")

    def healthy(self) -> Cohort:
        """Return the cohort without tumours."""
        self._refuse("healthy volumes")

    def stage(self, name: str, key: Mapping[str, Any], cases: int) -> Artifact | Unfinished:
        """Return a stage's result, or where to make it; then `stage_done` or `stage_failed` follows.

        `cases`: how many its inputs have, for estimates of the time.
        """
        self._refuse(f"stage {name}")

    def stage_done(self) -> Artifact:
        """Keep what the newest unfinished stage has made."""
        self._refuse("the end of a stage")

    def stage_failed(self) -> None:
        """Let go of the newest unfinished stage; its checkpoints stay."""
        self._refuse("the end of a stage")

    def weights(self, name: str, offline: bool) -> "WeightsFile":
        """Find, fetch and check weights."""
        self._refuse(f"weights {name}")

    def record_weights(self, name: str, sha256: str) -> None:
        """Write down which weights the method says it used."""

    def note(self, event: str, values: Mapping[str, Any]) -> None:
        """Write a line to the log."""

    def table(self, name: str, rows: Rows) -> None:
        """Keep a table."""

    def keep_map(self, case_id: str, scores: Image) -> None:
        """Keep the map that a case's mask is cut from."""
        self._refuse("keep_map")

    def alternative(self, case_id: str, name: str, mask: Mask) -> None:
        """Keep another answer for a case."""
        self._refuse("alternative")

    def confidence(self, case_id: str, value: float, parts: Mapping[str, float]) -> None:
        """Keep how far the answer for a case can be trusted."""
        self._refuse("confidence")

    def progress(self, done: int, total: int, note: str) -> None:
        """Hear how far it is."""

    def _refuse(self, what: str) -> NoReturn:
        raise RunError(f"{what} cannot be asked for here")


TOLD = frozenset({"record_weights", "note", "progress"})
"""Members that need no answer."""
ASKED = frozenset(name for name, member in vars(Host).items() if callable(member) and name[0] != "_") - TOLD
"""The other members: whoever asks waits for the answer, or for what the host raises."""
