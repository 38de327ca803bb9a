"""Prepared volumes on disk: each image is prepared once, then opened as a read-only memory map."""

import base64
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unseg_bench.data.atomic import flush, make_folder, room_on_disk, set_mode, sync_folder
from unseg_bench.data.cohort import Cohort
from unseg_bench.data.content import prepared_digest
from unseg_bench.data.digests import file_digest, refuse_change
from unseg_bench.data.files import CaseFiles, ImageFile, Progress
from unseg_bench.data.nifti import (
    NiftiGrid,
    NiftiImage,
    grid_from_header,
    header_bytes,
    read_image,
    write_map,
    write_mask,
)
from unseg_bench.data.prepare import Placement, prepare
from unseg_bench.data.volume import Image, Mask, Volume
from unseg_bench.errors import DataError

_IMAGE, _BRAIN, _FACTS = "image.npy", "brain.npy", "prepared.json"


@dataclass(frozen=True, slots=True, eq=False)
class PreparedCase:
    """One case in the store: where its arrays are, and how to get back to its file's grid.

    `digest` identifies the prepared content, `sha256` the file's; `spacing_mm` is per prepared axis; `grid` is the
    image file's own.
    """

    case_id: str
    digest: str
    sha256: str
    folder: Path
    source: ImageFile
    placement: Placement
    spacing_mm: tuple[float, float, float]
    grid: NiftiGrid

    @property
    def arrays(self) -> tuple[Path, Path]:
        """The files of image and brain, in NumPy's format."""
        return self.folder / _IMAGE, self.folder / _BRAIN

    def volume(self) -> Volume:
        """Open the arrays as read-only memory maps."""
        image, brain = (self._open(name) for name in (_IMAGE, _BRAIN))
        return Volume(self.case_id, image, brain, self.spacing_mm, self.digest)

    def write_prediction(self, path: Path, mask: Mask) -> None:
        """Write a mask on the prepared grid as uint8 NIfTI on the image file's own grid, whole or not at all.

        Raises ValueError when the mask is not bool or not of the prepared volume's shape.
        """
        write_mask(path, self.placement.restore(mask), self.grid)

    def write_map(self, path: Path, scores: Image) -> None:
        """Write a map on the prepared grid as float32 NIfTI on the image file's own grid, whole or not at all.

        Outside the brain's box it has its lowest value. Raises ValueError when it is not of the prepared shape.
        """
        write_map(path, self.placement.restore(scores, outside=float(scores.min())), self.grid)

    def _open(self, name: str) -> NDArray[Any]:
        try:
            return np.load(self.folder / name, mmap_mode="r", allow_pickle=False).view(np.ndarray)
        except (OSError, ValueError) as error:
            raise DataError(f"{self.folder / name}: {error}; delete the folder, it is made again when needed") from None


class PreparedStore:
    """A folder of prepared volumes, one subfolder per digest of (file content, channel, preparation version).

    Safe with several processes: a subfolder appears whole by a rename, and whoever comes second takes the first's.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def prepare(self, case_id: str, source: ImageFile) -> PreparedCase:
        """Return the case, prepared now if its content is new; raises DataError naming the file at fault."""
        sha256 = file_digest(source.path)
        digest = prepared_digest(sha256, source.channel)
        folder = self.folder / digest
        if not folder.is_dir():
            image = read_image(source.path, source.channel)
            refuse_change(source.path, sha256)
            self._make(folder, image)
        return _open_case(case_id, sha256, folder, source)

    def _make(self, folder: Path, image: NiftiImage) -> None:
        prepared, brain, placement = prepare(image)
        facts = {
            "placement": placement.to_json(),
            "spacing_mm": [image.spacing_mm[axis] for axis in placement.axes],
            "header": base64.b64encode(header_bytes(image)).decode(),
        }
        with room_on_disk(self.folder):
            make_folder(self.folder)
            temporary = Path(mkdtemp(prefix=".part-", dir=self.folder))
        try:
            with room_on_disk(self.folder):
                _write_files(temporary, prepared, brain, facts)
                _rename(temporary, folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def build_cohort(
    name: str,
    case_ids: Sequence[str],
    dataset: CaseFiles,
    store: PreparedStore,
    progress: Progress,
    leave_out: Callable[[str, DataError], None] | None = None,
) -> Cohort:
    """Prepare the images of these cases and return them as a cohort, which opens one volume at a time.

    `progress` is called as (done, total, case id). A case whose image cannot be used is left out and told to
    `leave_out`; without it, DataError naming the case's file is raised.
    """
    cases: dict[str, PreparedCase] = {}
    for done, case_id in enumerate(case_ids):
        progress(done, len(case_ids), case_id)
        try:
            cases[case_id] = store.prepare(case_id, dataset.image(case_id))
        except DataError as error:
            if leave_out is None:
                raise
            leave_out(case_id, error)
    progress(len(case_ids), len(case_ids), "")
    digests = [(case_id, case.digest) for case_id, case in cases.items()]
    return Cohort(name, digests, lambda case_id: cases[case_id].volume())


def _open_case(case_id: str, sha256: str, folder: Path, source: ImageFile) -> PreparedCase:
    try:
        facts = json.loads((folder / _FACTS).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{folder / _FACTS}: {error}; delete the folder, it is made again when needed") from None
    placement = Placement.from_json(facts["placement"])
    grid = grid_from_header(source.path, base64.b64decode(facts["header"]), placement.file_shape)
    x, y, z = facts["spacing_mm"]
    return PreparedCase(case_id, folder.name, sha256, folder, source, placement, (x, y, z), grid)


def _write_files(folder: Path, image: Image, brain: Mask, facts: dict[str, Any]) -> None:
    for name, array in ((_IMAGE, image), (_BRAIN, brain)):
        with (folder / name).open("wb") as file:
            np.save(file, np.ascontiguousarray(array), allow_pickle=False)
            file.flush()
            flush(file.fileno(), folder / name)
    with (folder / _FACTS).open("w", encoding="utf-8") as file:
        json.dump(facts, file, indent=2)
        file.flush()
        flush(file.fileno(), folder / _FACTS)
    set_mode(folder, 0o755)
    sync_folder(folder)


def _rename(temporary: Path, folder: Path) -> None:
    """Give a finished folder its name, unless another process was first with the same content."""
    try:
        temporary.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise
        return
    sync_folder(folder.parent)
