"""A data set of small blobs and a method of three stages. Every step is a line in $TOY_LOG; at $TOY_KILL_AT it dies."""

import itertools
import json
import os
import signal
from pathlib import Path

import nibabel as nib
import numpy as np

from unseg_bench import (
    Artifact,
    Cohort,
    Context,
    Dataset,
    DatasetOptions,
    ImageFile,
    Mask,
    Method,
    MethodOptions,
    ReferenceFile,
    Split,
    Volume,
    Work,
    hookimpl,
    stage,
)
from unseg_bench.data.content import prepared_digest
from unseg_bench.data.digests import file_digest
from unseg_bench.data.paths import cache_dir


def real_id(volume: Volume) -> str:
    """Return the data set's id of a case, which a method is not told, from its image."""
    for path in (cache_dir() / "toy").glob("case-*-image.nii"):
        if prepared_digest(file_digest(path), None) == volume.digest:
            return path.name.removesuffix("-image.nii")
    raise KeyError(volume.case_id)


_ticks = itertools.count(1)


def tick(line: str) -> None:
    if next(_ticks) == int(os.environ.get("TOY_KILL_AT", "0")):
        os.kill(os.getpid(), signal.SIGKILL)
    with Path(os.environ["TOY_LOG"]).open("a") as file:
        file.write(line + "\n")


class ToyDataOptions(DatasetOptions):
    cases: int = 7
    bad_case: bool = False


class ToyData(Dataset):
    name = "toy"
    title = "Toy"
    evidence = False
    default_preset = "demo"
    Options = ToyDataOptions

    def identity(self) -> dict[str, object]:
        return self.options.model_dump()

    def split(self) -> Split:
        ids = [f"case-{number}" for number in range(self.options.cases)]
        return Split("toy", tuple(ids[:3]), tuple(ids[3:4]), tuple(ids[4:]))

    def made_from(self, case_id: str) -> dict[str, object]:
        return {**self.identity(), "case": case_id}

    def image(self, case_id: str) -> ImageFile:
        return ImageFile(self._make(case_id, "image"))

    def reference(self, case_id: str) -> ReferenceFile:
        return ReferenceFile(self._make(case_id, "reference"))

    def _make(self, case_id: str, kind: str) -> Path:
        path = cache_dir() / "toy" / f"{case_id}-{kind}.nii"
        if not path.is_file():
            rng = np.random.default_rng(int(case_id.rpartition("-")[2]))
            x, y, z = np.meshgrid(*(np.arange(n) for n in (13, 15, 11)), indexing="ij")
            brain = (x - 6) ** 2 + (y - 7) ** 2 + (z - 5) ** 2 < 25
            tumour = (x - 7) ** 2 + (y - 7) ** 2 + (z - 5) ** 2 < 6
            image = brain * (10 + rng.normal(size=brain.shape)) + 5 * tumour
            data = image.astype(np.float32) if kind == "image" else tumour.astype(np.uint8)
            path.parent.mkdir(parents=True, exist_ok=True)
            nib.save(nib.Nifti1Image(data, np.diag([-2.0, -2, 2, 1])), path)
        return path


class GatherOptions(MethodOptions):
    quantile: float = 0.9


class TrainOptions(MethodOptions):
    steps: int = 6
    rate: float = 0.1


class ToyOptions(MethodOptions):
    gather: GatherOptions = GatherOptions()
    train: TrainOptions = TrainOptions()
    shift: float = 0.0
    fail_on: str = ""
    read_masks: bool = False
    hands_over: bool = False
    states: bool = os.environ.get("TOY_STATES", "") == "yes"


@stage("gather", seeded=False)
def gather(work: Work, options: GatherOptions, *, cohort: Cohort) -> None:
    tick("gather")
    levels = [float(np.quantile(volume.image[volume.brain], options.quantile)) for volume in cohort]
    np.save(work.folder / "level.npy", np.mean(levels))


@stage("train")
def train(work: Work, options: TrainOptions, *, start: Artifact) -> None:
    state = work.scratch / "state.json"
    done, level = json.loads(state.read_text()) if state.is_file() else (0, float(start.array("level")))
    for step in range(done, options.steps):
        tick(f"train {step}")
        work.progress(step, options.steps)
        level += options.rate * float(np.random.default_rng([work.seed, step]).normal())
        beside = state.with_suffix(".new")
        beside.write_text(json.dumps([step + 1, level]))
        beside.replace(state)
    np.save(work.folder / "level.npy", level)


class Toy(Method):
    name = "toy"
    look_below = 0.5
    presets = {"demo": {"train.steps": 4}, "paper": {"train": {"steps": 9}, "gather.quantile": 0.8}}  # noqa: RUF012
    Options = ToyOptions

    def fit(self, training: Cohort, validation: Cohort, context: Context) -> None:
        if self.options.read_masks:
            context.labels.mask(training.case_ids[0], "curiosity")
        start = context.run(gather, self.options.gather, cohort=training)
        self.level = float(context.run(train, self.options.train, start=start).array("level"))

    def segment(self, volume: Volume, context: Context) -> Mask:
        case_id = real_id(volume)
        tick(f"segment {case_id}")
        if case_id == self.options.fail_on:
            raise ValueError("no luck with this one")
        if self.options.states:
            contrast = float(volume.image[volume.brain].max())
            context.confidence(volume, 1 / (1 + contrast), {"contrast": contrast})
            tick(f"stated {case_id}")
        if self.options.hands_over:
            context.keep_map(volume, volume.image)
            context.alternative(volume, "brain", volume.brain)
            tick(f"handed over {case_id}")
        return (volume.image > self.level + self.options.shift) & volume.brain


@hookimpl
def ubench_methods() -> list[type[Method]]:
    return [Toy]


@hookimpl
def ubench_datasets() -> list[type[Dataset]]:
    return [ToyData]
