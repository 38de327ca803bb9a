"""SAM's everything mode: a grid of points over a slice and its crops, and what is left of their masks.

The rules are those of the package's `SamAutomaticMaskGenerator`; what differs is the order of the work: the slice's
embedding may be given, a mask is drawn only if its predicted IoU passes, and masks stay masks all the way.
"""

from dataclasses import dataclass, replace
from typing import Any, TypeAlias, cast

import numpy as np
import torch
from numpy.typing import NDArray
from segment_anything.utils.amg import (
    batched_mask_to_box,
    build_all_layer_point_grids,
    calculate_stability_score,
    generate_crop_boxes,
    is_box_near_crop_edge,
)
from torch import Tensor

from unseg_bench.blocks.prompts import FOREGROUND, Box
from unseg_bench.blocks.sam.options import EverythingOptions
from unseg_bench.blocks.sam.segmenter import SamEmbedding, SamSegmenter

Crop: TypeAlias = tuple[int, int, int, int]
"""(x0, y0, x1, y1): the first column and row of a crop, and the first ones behind it."""

EDGE_SHARE = 20 / 1024
"""The package's tolerance at the edges of crops, 20 px, as a share of a crop as long as SAM's own input."""


@dataclass(frozen=True, slots=True, eq=False)
class Proposal:
    """One mask (H, W) of a slice with its box, the point (x, y) that was asked, and the crop that was shown to SAM.

    `predicted_iou`: what SAM expects; `stability`: IoU between a high and a low cut of the logits, NaN where nothing is
    above the low one (thresholds drop it). Both are of the mask before holes and islands were removed.
    """

    mask: NDArray[np.bool_]
    box: Box
    predicted_iou: float
    stability: float
    point: tuple[float, float]
    crop_box: Crop


@torch.inference_mode()
def everything(
    segmenter: SamSegmenter,
    picture: NDArray[np.uint8],
    options: EverythingOptions,
    *,
    embedding: SamEmbedding | None = None,
) -> list[Proposal]:
    """All masks that SAM finds in a slice (H, W), in the package's order; `embedding`: of the slice, if it is there."""
    size = (int(picture.shape[0]), int(picture.shape[1]))
    crops, layers = generate_crop_boxes(size, options.crop_n_layers, options.crop_overlap_ratio)
    factor = options.crop_n_points_downscale_factor
    grids = build_all_layer_point_grids(options.points_per_side, options.crop_n_layers, factor)
    found: list[Proposal] = []
    for (x0, y0, x1, y1), layer in zip(crops, layers, strict=True):
        known = embedding if layer == 0 else None
        shown = segmenter.encode(picture[y0:y1, x0:x1]) if known is None else known
        found += _in_crop(segmenter, shown, grids[layer], (x0, y0, x1, y1), size, options)
    if len(crops) > 1:  # masks of smaller crops win
        found = _without_doubles(found, [1.0 / _area(one.crop_box) for one in found], options.crop_nms_thresh)
    if options.min_mask_region_area:
        found = _without_small_regions(found, options)
    return found


@dataclass(frozen=True, slots=True)
class _Masks:
    """M masks (M, h, w) of a crop with their boxes (M, 4), predicted IoU and stability (M,), and points (M, 2)."""

    masks: Tensor
    boxes: Tensor
    iou: Tensor
    stability: Tensor
    points: Tensor

    def __getitem__(self, chosen: Tensor) -> "_Masks":
        return _Masks(*(part[chosen] for part in self.parts))

    @property
    def parts(self) -> tuple[Tensor, ...]:
        """What belongs to each mask, to be chosen together."""
        return self.masks, self.boxes, self.iou, self.stability, self.points


def _in_crop(
    segmenter: SamSegmenter, embedding: SamEmbedding, grid: NDArray[np.float64], crop: Crop, size: tuple[int, int],
    options: EverythingOptions,
) -> list[Proposal]:  # fmt: skip
    """Ask for each point of a grid, (P, 2) in shares of the crop; drop doubles; place the rest on the slice (H, W)."""
    height, width = embedding.original_size
    points = grid * np.array([[width, height]])
    batches = [
        _ask(segmenter, embedding, points[start : start + segmenter.prompts_at_once], crop, size, options)
        for start in range(0, len(points), segmenter.prompts_at_once)
    ]
    together = _Masks(*(torch.cat(parts) for parts in zip(*(one.parts for one in batches), strict=True)))
    kept = together[_nms(together.boxes, together.iou, options.box_nms_thresh)]
    return [_placed(one, crop, size) for one in zip(*(part.cpu().numpy() for part in kept.parts), strict=True)]


def _ask(
    segmenter: SamSegmenter, embedding: SamEmbedding, points: NDArray[np.float64], crop: Crop, size: tuple[int, int],
    options: EverythingOptions,
) -> _Masks:  # fmt: skip
    """The masks of some points (P, 2) that pass all thresholds, three a point at most."""
    moved = segmenter.to_input(points[:, None], embedding.original_size)
    labels = torch.full(moved.shape[:2], FOREGROUND, dtype=torch.int, device=moved.device)
    answers = segmenter.decoder.ask(embedding.features, (moved, labels), None)
    iou = answers.predicted_iou[:, 1:]
    passed = iou > options.pred_iou_thresh if options.pred_iou_thresh > 0 else torch.ones_like(iou, dtype=torch.bool)
    prompt, output = passed.nonzero(as_tuple=True)
    places = torch.from_numpy(points).to(moved.device)[prompt]
    logits = moved.new_zeros(0, *embedding.original_size)
    if len(prompt):
        logits = segmenter.full_size(embedding, segmenter.decoder.draw(answers, prompt, output + 1))
    cut = segmenter.sam.mask_threshold
    stability = calculate_stability_score(logits, cut, options.stability_score_offset)
    masks = logits > cut
    found = _Masks(masks, batched_mask_to_box(masks), iou[passed], stability, places)
    if options.stability_score_thresh > 0:
        found = found[stability >= options.stability_score_thresh]
    tolerance = options.edge_tolerance_px
    if tolerance is None:
        tolerance = EDGE_SHARE * max(embedding.original_size)
    slice_box = [0, 0, size[1], size[0]]
    return found[~is_box_near_crop_edge(found.boxes, list(crop), slice_box, atol=tolerance)]


def _placed(one: tuple[Any, ...], crop: Crop, size: tuple[int, int]) -> Proposal:
    """A mask of a crop on the slice (H, W)."""
    mask, box, iou, stability, point = one
    x0, y0, x1, y1 = crop
    whole = np.zeros(size, dtype=np.bool_)
    whole[y0:y1, x0:x1] = mask
    left, top, right, bottom = (int(edge) for edge in box + np.array([x0, y0, x0, y0]))
    place = (float(point[0] + x0), float(point[1] + y0))
    return Proposal(whole, (left, top, right, bottom), float(iou), float(stability), place, crop)


def _without_doubles(found: list[Proposal], scores: list[float], threshold: float) -> list[Proposal]:
    boxes = torch.tensor([one.box for one in found]).reshape(-1, 4)
    return [found[index] for index in _nms(boxes, torch.tensor(scores), threshold).tolist()]


def _without_small_regions(found: list[Proposal], options: EverythingOptions) -> list[Proposal]:
    """Fill holes and drop islands; then drop doubles, and rather those that were changed."""
    masks = [_clean(one.mask, options.min_mask_region_area) for one in found]
    clean = [replace(one, mask=mask, box=_box(mask)) for one, mask in zip(found, masks, strict=True)]
    unchanged = [float(one.mask is before.mask) for one, before in zip(clean, found, strict=True)]
    return _without_doubles(clean, unchanged, max(options.box_nms_thresh, options.crop_nms_thresh))


def _clean(mask: NDArray[np.bool_], area: int) -> NDArray[np.bool_]:
    """The mask without holes and islands of fewer than `area` pixels, the same object if there were none.

    Of a mask with nothing but small islands the largest stays.
    """
    holes, sizes = _regions(~mask)
    small = sizes < area
    if small[1:].any():
        mask = mask | small[holes] & (holes > 0)
    islands, sizes = _regions(mask)
    large = sizes >= area
    large[0] = False
    if large[1:].all():
        return mask
    if not large.any():
        large[1 + int(sizes[1:].argmax())] = True
    return large[islands]


def _regions(mask: NDArray[np.bool_]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Number the regions of a mask from 1, corners touch; and count the pixels of each number, 0 included."""
    from scipy import ndimage

    labels, count = cast("Any", ndimage.label)(mask, np.ones((3, 3), dtype=np.bool_))
    return labels, np.bincount(labels.ravel(), minlength=count + 1)


def _box(mask: NDArray[np.bool_]) -> Box:
    x0, y0, x1, y1 = batched_mask_to_box(torch.from_numpy(mask)).tolist()
    return x0, y0, x1, y1


def _nms(boxes: Tensor, scores: Tensor, threshold: float) -> Tensor:
    """Numbers of the boxes (M, 4) that stay, best score first."""
    from torchvision.ops.boxes import batched_nms

    return batched_nms(boxes.float(), scores, torch.zeros(len(boxes), device=boxes.device), threshold)


def _area(crop: Crop) -> int:
    x0, y0, x1, y1 = crop
    return (x1 - x0) * (y1 - y0)
