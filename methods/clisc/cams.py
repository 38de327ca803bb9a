"""Stage 2, second half: Layer-CAMs of the slices that CLIP called tumour, and their regions."""

import numpy as np
from numpy.typing import NDArray
from torch import nn

from unseg_bench.blocks.components import keep_components, opening
from unseg_bench.blocks.layer_cam import layer_cam, otsu_level
from unseg_bench.blocks.slices import eight_bit, resize, to_pictures
from unseg_bench.data.cohort import Cohort
from unseg_bench.data.volume import Mask, Volume
from unseg_bench.errors import RunError
from unseg_bench.plugins.context import Artifact, Work, stage

from .classifier import load_classifier, network_input
from .options import CamOptions, RegionOptions
from .slice_labels import labelled_slices


@stage("layer-cam", seeded=False)
def compute_cams(work: Work, options: CamOptions, *, cohort: Cohort, labels: Artifact, classifier: Artifact) -> None:
    """Write `<case>.npy`: the CAM of the tumour logit, (X, Y, Z) float16 in 0 ... 1, 0 outside the brain.

    Each slice that CLIP called tumour has a map of its own range; all other slices are 0.
    """
    network, settings = load_classifier(classifier, work.device)
    for done, volume in enumerate(cohort):
        work.progress(done, len(cohort), volume.case_id)
        slices, tumour = labelled_slices(labels, volume.case_id)
        cam = np.zeros(volume.shape, dtype=np.float16)
        if tumour.any():
            pictures = eight_bit(volume, slices[tumour], settings.scaling)
            to_pictures(cam)[slices[tumour]] = _maps(network, pictures, settings.image_size, options, work.device)
        cam[~volume.brain] = 0
        np.save(work.folder / f"{volume.case_id}.npy", cam)


@stage("cam-regions", seeded=False)
def binarise_cams(work: Work, options: RegionOptions, *, cohort: Cohort, cams: Artifact) -> None:
    """Write `<case>.npy`: the region of interest, (X, Y, Z) bool, from a CAM without any label.

    Threshold ('fixed' share of each slice's range, or 'otsu' over the case's CAM inside the brain), then, as in the
    authors' code, 3D opening with the 26-neighbour element and the components of at least a share of the largest one.
    (The authors scan the threshold against validation masks; that is not done here.) Raises RunError if all are empty.
    """
    found = False
    for done, volume in enumerate(cohort):
        work.progress(done, len(cohort), volume.case_id)
        region = _region(volume, np.asarray(cams.array(volume.case_id), dtype=np.float32), options)
        found = found or bool(region.any())
        np.save(work.folder / f"{volume.case_id}.npy", region)
    if not found:
        raise RunError(
            "stage 'cam-regions': the CAM's region is empty in every case; lower region.level, switch region.opening "
            "off, or train the classifier longer (classifier.epochs)"
        )


def _maps(
    network: nn.Module, pictures: NDArray[np.uint8], size: int, options: CamOptions, device: str
) -> NDArray[np.float32]:
    maps = np.empty(pictures.shape, dtype=np.float32)
    for start in range(0, len(pictures), options.batch):
        part = slice(start, start + options.batch)
        images = network_input(resize(pictures[part], (size, size)).to(device))
        cam = layer_cam(network, images, options.layer)[0].cpu().numpy()
        maps[part] = resize(cam, (pictures.shape[1], pictures.shape[2])).numpy()
    return np.clip(maps, 0.0, 1.0)


def _region(volume: Volume, cam: NDArray[np.float32], options: RegionOptions) -> Mask:
    mapped = volume.brain & cam.any(axis=(0, 1))
    level = options.level if options.rule == "fixed" else otsu_level(cam[mapped])
    region: Mask = volume.brain & (cam > level)
    if options.opening:
        region = opening(region)
    return keep_components(region, options.keep_share)
