"""The cohort and the weights, made once; and a run of a method as a user would start it.

All tests together took 21 minutes of CPU time, measured module by module with one thread on two busy cores: so some 11
minutes where two cores are free. CLISC takes 4 of the 21 per preset; the most memory is nnU-Net's, 10.6 GB.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Generator, Sequence
from csv import DictReader
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tests.full_size.cohort import AFFINE, CASES, SHAPE, TUMOUR_SLICES, write_cohort
from tests.full_size.watched import read_watched, write_watched
from tests.full_size.weights import save_clip, save_resnet, save_sam, teach_captions
from unseg_bench.blocks.clip.labels import PAPER_NORMAL, PAPER_TUMOUR
from unseg_bench.blocks.slices import eight_bit, to_pictures
from unseg_bench.blocks.standardise import whole_crop
from unseg_bench.data.nifti import read_image
from unseg_bench.data.prepare import prepare
from unseg_bench.data.volume import Volume
from unseg_bench.plugins.manager import load_plugins
from unseg_bench.run.session.seal import kernel_obstacle

TEST_CASE = CASES[-1]


@dataclass(frozen=True)
class Outcome:
    """What a run left: run.json, what its networks were given, and the predicted mask of the test case."""

    record: dict[str, Any]
    watched: dict[str, Any]
    mask: NDArray[np.uint8]

    def inputs(self, network: str) -> set[tuple[int, ...]]:
        """Shapes of the first input of each call of a network, by the name of its class."""
        return {tuple(shapes[0]) for shapes in self.watched["networks"][network]["inputs"]}

    @property
    def models(self) -> dict[str, int]:
        """Parameters of CLIP and SAM as a whole, where they were loaded."""
        return self.watched["models"]

    def prompted_in_frame(self) -> bool:
        """Whether SAM was asked, and each point and corner lies in the frame of its input, 1024 along the longer side.

        The brain fills its slice, so prompts as given, up to 150, would lie in one corner.
        """
        places = np.array([place for prompt in self.watched["points"] for place in prompt], dtype=float)
        corners = np.array(self.watched["boxes"], dtype=float).reshape(-1, 2)
        asked = np.concatenate([places.reshape(-1, 2), corners])
        return bool(len(asked)) and asked.min() >= 0 and 300 < asked.max() <= 1024

    def parameters(self, network: str) -> int:
        """Parameters of the network, by the name of its class."""
        return int(self.watched["networks"][network]["parameters"])


Run = Callable[..., Outcome]


@pytest.fixture(scope="session")
def full_size(tmp_path_factory: pytest.TempPathFactory) -> Generator[Path]:
    """A folder for all tests: cohort, weights, cache and runs; weights and cache, some 6 GB, go at the end."""
    folder = tmp_path_factory.mktemp("full_size")
    write_cohort(folder / "data", folder / "split")
    yield folder
    shutil.rmtree(folder / "cache", ignore_errors=True)
    for weights in (*folder.glob("*.pth"), *folder.glob("*.safetensors")):
        weights.unlink()


@pytest.fixture(scope="session")
def volumes(full_size: Path) -> list[Volume]:
    """The cohort's cases as methods see them."""
    found = []
    for case in CASES:
        image, brain, _ = prepare(read_image(full_size / "data" / case / f"{case}_flair.nii.gz"))
        found.append(Volume(case, image, brain, (1.0, 1.0, 1.0), ""))
    return found


@pytest.fixture(scope="session")
def plain_clip(full_size: Path) -> Path:
    """A random CLIP ViT-B/32."""
    return save_clip(full_size / "clip.safetensors")


@pytest.fixture(scope="session")
def clip(full_size: Path, plain_clip: Path, volumes: Sequence[Volume]) -> Path:
    """CLIP that tells the slices apart as the papers show them."""
    pictures = [picture for volume in volumes for picture in eight_bit(volume, np.arange(SHAPE[2]))]
    return _taught(plain_clip, full_size / "clip_of_pictures.safetensors", pictures)


@pytest.fixture(scope="session")
def clip_of_values(full_size: Path, plain_clip: Path, volumes: Sequence[Volume]) -> Path:
    """CLIP that tells the slices apart as CLISC's code shows them."""
    pictures = [np.array(picture) for volume in volumes for picture in to_pictures(whole_crop(volume))]
    return _taught(plain_clip, full_size / "clip_of_values.safetensors", pictures)


def _taught(plain: Path, taught: Path, pictures: Sequence[NDArray[Any]]) -> Path:
    tumour = np.tile(np.isin(np.arange(SHAPE[2]), TUMOUR_SLICES), len(CASES))
    return teach_captions(plain, taught, pictures, tumour, [[PAPER_NORMAL], [PAPER_TUMOUR]])


@pytest.fixture(scope="session")
def resnet(full_size: Path) -> Path:
    """A random ResNet-50."""
    return save_resnet(full_size / "resnet50.pth")


@pytest.fixture(scope="session")
def sam(full_size: Path) -> Path:
    """A random SAM ViT-B."""
    return save_sam(full_size / "sam_vit_b.pth", "vit_b")


@pytest.fixture(scope="session")
def sam_vit_h(full_size: Path) -> Path:
    """A random SAM ViT-H, 2.6 GB."""
    return save_sam(full_size / "sam_vit_h.pth", "vit_h")


@pytest.fixture(scope="module")
def run(full_size: Path, request: pytest.FixtureRequest) -> Run:
    """Run a method's preset on the cohort, sealed where the machine can, and check what every run must leave.

    The tests of a module share a cache. `peak_gb`: what the method's process may take of memory, in GB.
    """

    def start(method: str, preset: str, *settings: str, peak_gb: float) -> Outcome:
        file = write_watched(full_size, load_plugins().method(method))
        command = [
            *(str(Path(sys.executable).with_name("ubench")), "run", str(file)),
            *(
                "--data",
                str(full_size / "data"),
                "--split",
                str(full_size / "split"),
                "--preset",
                preset,
                "--sealed",
                "auto",
            ),
            *("--image", "*/*_flair.nii.gz", "--reference", "*/*_seg.nii.gz", "--offline"),
            *("--runs", str(full_size / "runs")),
            *(part for setting in settings for part in ("--set", setting)),
        ]
        surroundings = {**os.environ, "UBENCH_CACHE": str(full_size / "cache" / request.module.__name__)}
        done = subprocess.run(command, env=surroundings, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        [folder] = (full_size / "runs").glob(f"*/watched-{method}-{preset}-seed0-*")
        return _checked(folder, peak_gb)

    return start


def _checked(folder: Path, peak_gb: float) -> Outcome:
    """Check a run's seal, device, peak memory, prediction and scores."""
    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    assert record["seal"]["mode"] == ("sealed" if kernel_obstacle() is None else "ledger")
    assert record["device"]["name"] == ("cuda:0" if torch.cuda.is_available() else "cpu")
    assert record["peak_memory"]["process"] < peak_gb * 1e9
    predicted = nib.nifti1.load(folder / "predictions" / f"{TEST_CASE}.nii.gz")
    assert predicted.shape == SHAPE
    assert predicted.get_data_dtype() == np.uint8
    np.testing.assert_array_equal(predicted.affine, AFFINE)
    mask = np.asarray(predicted.dataobj)
    assert set(np.unique(mask)) <= {0, 1}
    with (folder / "scores.csv").open(encoding="utf-8", newline="") as stream:
        assert [row["case"] for row in DictReader(stream)] == [TEST_CASE]
    return Outcome(record, read_watched(folder / "log.jsonl"), mask)
