"""How good is the miniature pair on real tumours? Slice labels of CLIP, masks of SAM, and whether SAM obeys its prompt.

    python benchmarks/miniature_pair.py ../shared/data

The folder holds `brats2013/*/` (FLAIR, brain mask, labels) and `brats2021_00006/`. Reference masks are read here to
measure, and nowhere in training. All slices are axial, at 2 mm.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import torch
from numpy.typing import NDArray

from unseg_bench.blocks.clip.scorer import ClipScorer
from unseg_bench.blocks.prompts import Prompt, box_prompt
from unseg_bench.blocks.sam.segmenter import SamSegmenter
from unseg_bench.blocks.slices import Scaling, brain_slices, eight_bit
from unseg_bench.data.volume import Volume

CAPTIONS = [
    [
        "an image of brain tissue showing typical signal intensity without any regions of abnormal intensity or "
        "suspicious mass"
    ],
    [
        "an image of brain tissue showing a tumor with uneven hyperintensity and irregular borders distinct from "
        "surroundings"
    ],
]
SMALLEST_PIXELS = 12
SCALINGS: tuple[Scaling, ...] = ("volume", "slice")


@dataclass(frozen=True)
class Case:
    """A real case at 2 mm, cropped to its brain, and its whole tumour (X, Y, Z)."""

    volume: Volume
    tumour: NDArray[np.bool_]


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    cases = load_cases(parser.parse_args().data)
    torch.set_num_threads(1)
    for scaling in SCALINGS:
        print(f"\n### Pictures with the scaling '{scaling}'\n")
        clip_table(cases, scaling)
        print()
        sam_table(cases, scaling)


def load_cases(folder: Path) -> list[Case]:
    """The six BraTS 2013 patients and the one of 2021."""
    found = []
    for path in sorted((folder / "brats2013").iterdir()):
        image, labels, brain = (
            _read(path / f"{name}.nii.gz") for name in ("Flair_subtrMeanDivStd", "OTMultiClass", "brainmask")
        )
        found.append(_case(path.name, image, labels > 0, brain > 0.5))
    last = folder / "brats2021_00006"
    image, labels = _read(last / "BraTS2021_00006_flair.nii.gz"), _read(last / "BraTS2021_00006_seg.nii.gz")
    return [*found, _case(last.name, image, labels > 0, image > 0)]


def _read(path: Path) -> NDArray[np.float32]:
    return np.asarray(nib.load(path).dataobj, dtype=np.float32)


def _case(name: str, image: NDArray[np.float32], tumour: NDArray[np.bool_], brain: NDArray[np.bool_]) -> Case:
    image, share, tumour_share = _halve(image * brain), _halve(brain), _halve(tumour)
    inside = share > 0.5
    image = image / np.maximum(share, 0.5)
    values = np.clip(image, *np.percentile(image[inside], [0.1, 99.9]))
    z = np.where(inside, (values - values[inside].mean()) / values[inside].std(), 0.0).astype(np.float32)
    box = tuple(slice(axis.min(), axis.max() + 1) for axis in np.nonzero(inside))
    return Case(Volume(name, z[box], inside[box], (2.0, 2.0, 2.0), name), (tumour_share >= 0.5)[box])


def _halve(volume: NDArray[np.generic]) -> NDArray[np.float32]:
    """Mean of 2 x 2 x 2 blocks."""
    x, y, z = (length // 2 for length in volume.shape)
    blocks = volume[: 2 * x, : 2 * y, : 2 * z].astype(np.float32).reshape(x, 2, y, 2, z, 2)
    return blocks.mean((1, 3, 5))


def clip_table(cases: list[Case], scaling: Scaling) -> None:
    """AUC and accuracy of slice labels, all slices with brain, against 'any tumour pixel'."""
    scorer = ClipScorer(pretrained="miniature", offline=True)
    print("| case | slices | with tumour | CLIP AUC | accuracy |\n|---|---|---|---|---|")
    scores, truths = [], []
    for case in cases:
        slices = brain_slices(case.volume.brain)
        scores.append(scorer.probabilities(eight_bit(case.volume, slices, scaling), CAPTIONS)[:, 1])
        truths.append(case.tumour.any((0, 1))[slices])
        print(_clip_row(case.volume.case_id, scores[-1], truths[-1]))
    print(_clip_row("**all slices**", np.concatenate(scores), np.concatenate(truths)))


def _clip_row(name: str, score: NDArray[np.float32], truth: NDArray[np.bool_]) -> str:
    accuracy = ((score > 0.5) == truth).mean()
    return f"| {name} | {len(truth)} | {truth.sum()} | {auc(score, truth):.3f} | {accuracy:.3f} |"


def auc(score: NDArray[np.float32], truth: NDArray[np.bool_]) -> float:
    """Share of (tumour, normal) pairs that are in the right order."""
    difference = score[truth][:, None] - score[~truth][None]
    return float(((difference > 0) + 0.5 * (difference == 0)).mean())


def sam_table(cases: list[Case], scaling: Scaling) -> None:
    """Slice DSC with the tumour: SAM by four prompts (all but "box alone" with the paper's points), and plain masks."""
    segmenter = SamSegmenter("miniature", offline=True)
    plain = ("filled box", "SAM, box and points", "SAM, box alone", "mirrored box filled", "SAM, mirrored")
    print(f"| case | slices | {' | '.join(plain)} | brain filled | SAM, whole brain |\n|{'---|' * 9}")
    everything = []
    for case in cases:
        slices = np.flatnonzero(case.tumour.sum((0, 1)) >= SMALLEST_PIXELS)
        rows = [
            sam_slice(segmenter, picture, case.tumour[:, :, index].T, case.volume.brain[:, :, index].T)
            for index, picture in zip(slices, eight_bit(case.volume, slices, scaling), strict=True)
        ]
        everything += rows
        print(_sam_row(case.volume.case_id, rows))
    print(_sam_row("**all slices**", everything))


def _sam_row(name: str, rows: list[list[float]]) -> str:
    return f"| {name} | {len(rows)} | " + " | ".join(f"{value:.3f}" for value in np.mean(rows, axis=0)) + " |"


def sam_slice(
    segmenter: SamSegmenter, picture: NDArray[np.uint8], target: NDArray[np.bool_], brain: NDArray[np.bool_]
) -> list[float]:
    """The seven DSC of one slice (Y, X): its columns run from one side of the head to the other."""
    embedding = segmenter.encode(picture)
    box = box_of(target)
    x0, y0, x1, y1 = box
    width = target.shape[1] - 1
    mirrored = np.array([width - x1, y0, width - x0, y1])

    def answer(prompt: Prompt) -> float:
        return dsc(segmenter.segment_many(embedding, [prompt])[0][0], target)

    def asked(around: NDArray[np.int64]) -> float:
        return answer(Prompt(tuple(around.tolist()), *five_points(around)))

    alone = answer(box_prompt(tuple(box.tolist())))
    boxes = [dsc(filled(box, target.shape), target), dsc(filled(mirrored, target.shape), target), dsc(brain, target)]
    return [boxes[0], asked(box), alone, boxes[1], asked(mirrored), boxes[2], asked(box_of(brain))]


def filled(box: NDArray[np.int64], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """The box as a mask."""
    x0, y0, x1, y1 = box
    mask = np.zeros(shape, dtype=bool)
    mask[y0 : y1 + 1, x0 : x1 + 1] = True
    return mask


def box_of(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Tight box (x0, y0, x1, y1), inclusive."""
    rows, columns = np.nonzero(mask)
    return np.array([columns.min(), rows.min(), columns.max(), rows.max()])


def five_points(box: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The paper's points: the box's centre as foreground, its four corners as background."""
    x0, y0, x1, y1 = box
    points = [[(x0 + x1) / 2, (y0 + y1) / 2], [x0, y0], [x1, y0], [x0, y1], [x1, y1]]
    return np.array(points, dtype=np.float32), np.array([1, 0, 0, 0, 0])


def dsc(mask: NDArray[np.bool_], target: NDArray[np.bool_]) -> float:
    """Dice similarity coefficient, 0-1."""
    return float(2 * (mask & target).sum() / (mask.sum() + target.sum()))


if __name__ == "__main__":
    main()
