"""Where a training of the script writes, and the heads that it learns from."""

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from unseg_bench_methods.synthetic.heads import make_head
from unseg_bench_methods.synthetic.options import HEAD_SPACING_MM

from unseg_bench.blocks.working_cases import LabelledCase


@dataclass(frozen=True)
class ScriptWork:
    """A `Work` outside of any run: one folder for all; progress goes to standard error every fiftieth step."""

    folder: Path
    seed: int
    device: str = "cpu"

    @property
    def scratch(self) -> Path:
        """The same folder: checkpoints stay, so that a stopped script goes on."""
        return self.folder

    def progress(self, done: int, total: int, note: str = "") -> None:
        """Print now and then."""
        if done % 50 == 0 or done == total:
            print(f"{self.folder.name}: {done}/{total} {note}", file=sys.stderr, flush=True)


class StoredHeads:
    """Heads made once and kept as files of half precision; opened when looked at."""

    def __init__(self, folder: Path, seed: int, count: int) -> None:
        self._folder, self._seed, self._count = folder, seed, count
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(count):
            if not self._path(number).exists():
                self._write(number)

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, number: int, /) -> LabelledCase:
        if not 0 <= number < self._count:
            raise IndexError(number)
        image, label = np.load(self._path(number))
        return LabelledCase(image.astype(np.float32), label > 0, image > 0, (HEAD_SPACING_MM,) * 3)

    def _write(self, number: int) -> None:
        case = make_head(self._seed, number)
        beside = self._path(number).with_suffix(".writing.npy")
        np.save(beside, np.stack([case.image, case.label]).astype(np.float16))
        beside.replace(self._path(number))

    def _path(self, number: int) -> Path:
        return self._folder / f"{self._seed}_{number}.npy"
