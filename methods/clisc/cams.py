"""Stage 2, second half: class activation maps of the slices that show a tumour, and their regions."""

import json
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from torch import nn

from unseg_bench import Artifact, Cohort, Mask, RunError, Volume, Work, stage, write_json
from unseg_bench.blocks.clip.labels import labelled_slices
from unseg_bench.blocks.components import keep_components, opening
from unseg_bench.blocks.layer_cam import layer_cam
from unseg_bench.blocks.otsu import otsu
from unseg_bench.blocks.slices import brain_slices, eight_bit, resize, to_pictures

from .classifier import load_classifier, network_input
from .options import CamOptions, ClassifierOptions, RegionOptions
from .truth import TrueSlices

LEVELS = tuple(round(0.05 * step, 2) for step in range(1, 17))
"""What the authors' code tries."""

_LEVEL = "level.json"


@stage("layer-cam", seeded=False)
def compute_cams(
    work: Work, options: CamOptions, *, cohort: Cohort, labels: Artifact, classifier: Artifact, truth: TrueSlices,
    true_slices: str,
) -> None:  # fmt: skip
    """Write `<case>.npy`: the CAM of the tumour logit, (X, Y, Z) float16 in 0 ... 1, 0 outside the brain.

    Each slice that is called tumour, by the labels or by the classifier (`cam.slices`), has a map of its own range; all
    other slices are 0, and of the cases in `truth` those without tumour too. `true_slices` is the digest of `truth`.
    """
    network, settings = load_classifier(classifier, work.device)
    for done, volume in enumerate(cohort):
        work.progress(done, len(cohort), volume.case_id)
        slices, tumour = labelled_slices(labels, volume.case_id)
        chosen = slices[tumour] if options.slices == "clip" else brain_slices(volume.brain)
        if volume.case_id in truth.by_case:
            chosen = chosen[truth.by_case[volume.case_id][chosen]]
        cam = np.zeros(volume.shape, dtype=np.float16)
        if len(chosen):
            pictures = eight_bit(volume, chosen, settings.scaling)
            to_pictures(cam)[chosen] = _maps(network, pictures, settings, options, work.device)
        cam[~volume.brain] = 0
        np.save(work.folder / f"{volume.case_id}.npy", cam)


@stage("cam-level", seeded=False)
def scan_levels(work: Work, *, cohort: Cohort, cams: Artifact, masks: str, mask_of: Callable[[str], Mask]) -> None:
    """Write `level.json`: the level of `LEVELS` above which the CAMs have the best mean Dice with the masks, and all.

    Label use 2 of the authors' code. `masks` is the digest of what `mask_of` gives.
    """
    dice = np.zeros((len(cohort), len(LEVELS)))
    for row, volume in enumerate(cohort):
        work.progress(row, len(cohort), volume.case_id)
        cam, mask = (np.asarray(cams.array(volume.case_id), dtype=np.float32), mask_of(volume.case_id))
        for column, level in enumerate(LEVELS):
            region = volume.brain & (cam > level)
            dice[row, column] = 2.0 * (region & mask).sum() / max(1, region.sum() + mask.sum())
    means = dice.mean(axis=0)
    write_json(
        work.folder / _LEVEL,
        {"level": LEVELS[int(means.argmax())], "dice": dict(zip(map(str, LEVELS), means.tolist(), strict=True))},
    )


@stage("cam-regions", seeded=False)
def binarise_cams(
    work: Work, options: RegionOptions, *, cohort: Cohort, cams: Artifact, required: bool, level: Artifact | str = ""
) -> None:
    """Write `<case>.npy`: the region of interest, (X, Y, Z) bool, from a CAM.

    Threshold (`region.rule`; `level` is the result of `scan_levels` where that rule wants it), then, as in the authors'
    code, 3D opening and the components (26 neighbours) of at least a share of the largest one.
    Raises RunError if a region is `required` and all are empty.
    """
    found = mapped = False
    for done, volume in enumerate(cohort):
        work.progress(done, len(cohort), volume.case_id)
        cam = np.asarray(cams.array(volume.case_id), dtype=np.float32)
        mapped = mapped or bool(cam.any())
        region = _clean(volume.brain & (cam > _level_of(volume, cam, options, level)), options)
        found = found or bool(region.any())
        np.save(work.folder / f"{volume.case_id}.npy", region)
    if required and not mapped:
        raise RunError(
            "stage 'cam-regions': no slice has a map, since the classifier calls none of them tumour; train it longer "
            "(classifier.epochs), or set cam.slices to clip, which maps the slices that CLIP calls tumour"
        )
    if required and not found:
        raise RunError(
            "stage 'cam-regions': the CAM's region is empty in every case; lower region.level, switch region.opening "
            "off, or train the classifier longer (classifier.epochs)"
        )


def _maps(
    network: nn.Module, pictures: NDArray[np.uint8], shown_as: ClassifierOptions, options: CamOptions, device: str
) -> NDArray[np.float32]:
    size = (shown_as.image_size, shown_as.image_size)
    maps = np.zeros(pictures.shape, dtype=np.float32)
    for start in range(0, len(pictures), options.batch):
        part = np.arange(start, min(start + options.batch, len(pictures)))
        images = network_input(resize(pictures[part], size).to(device), shown_as.values)
        cam, logits = layer_cam(network, images, options.layer, formula=options.formula)
        resized = resize(cam.cpu().numpy(), (pictures.shape[1], pictures.shape[2])).numpy()
        shown = (
            np.ones(len(part), np.bool_) if options.slices == "clip" else (logits[:, 1] > logits[:, 0]).cpu().numpy()
        )
        maps[part[shown]] = resized[shown]
    return np.clip(maps, 0.0, 1.0)


def _level_of(volume: Volume, cam: NDArray[np.float32], options: RegionOptions, level: Artifact | str) -> float:
    if options.rule == "otsu":
        found = cam[volume.brain & cam.any(axis=(0, 1))]
        return otsu(found, span=(0.0, 1.0)) if len(found) else 1.0
    if isinstance(level, str):
        return options.level
    return float(json.loads(level.path(_LEVEL).read_text(encoding="utf-8"))["level"])


def _clean(region: Mask, options: RegionOptions) -> Mask:
    if options.opening:
        region = opening(region, options.opening_neighbours)
    return keep_components(region, options.keep_share)
