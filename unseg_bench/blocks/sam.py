"""SAM through segment-anything: a slice is encoded once, then asked with boxes and points.

All steps are those of the package's `SamPredictor`; what is added are checked weights, grey slices, and encoding in
batches.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from segment_anything import SamPredictor, sam_model_registry
from segment_anything.modeling import Sam
from torch import Tensor

from unseg_bench.blocks.weights import load_into, resolve
from unseg_bench.errors import WeightsError

MODELS = ("vit_b", "vit_l", "vit_h", "miniature")


@dataclass(frozen=True, slots=True)
class SamEmbedding:
    """A slice as SAM sees it: `features` (1, C, h, w) on the model's device, and its size before and after resizing."""

    features: Tensor
    original_size: tuple[int, int]
    input_size: tuple[int, int]


class SamSegmenter:
    """Masks of grey slices from points and boxes, in pixels of the slice as it was given.

    `model` is one of `MODELS`; `weights` a known name of `ubench weights` or a file in the model's format (such as
    MedSAM's for vit_b), by default SAM's own. `weights` is then the checked file that was loaded, `sam` the package's
    model, for users of its other tools (`SamAutomaticMaskGenerator`).

    Raises WeightsError for an unknown model, a missing file and weights of another architecture.
    """

    def __init__(
        self, model: str = "vit_b", weights: str | Path | None = None, *, device: str = "cpu", offline: bool = False
    ) -> None:
        if model not in MODELS:
            raise WeightsError(f"sam model {model!r} is unknown: choose one of {', '.join(MODELS)}.")
        own = "miniature-sam" if model == "miniature" else f"sam-{model.replace('_', '-')}"
        self.weights = resolve(own if weights is None else weights, offline=offline)
        sam = _miniature() if model == "miniature" else cast("Callable[[], Sam]", sam_model_registry[model])()
        load_into(sam, self.weights, f"SAM {model}")
        self.sam: Any = sam.eval().to(device)
        self._predictor = SamPredictor(self.sam)

    def encode(self, picture: NDArray[np.uint8]) -> SamEmbedding:
        """Encode one slice, (H, W) uint8."""
        return self.encode_many(picture[None])[0]

    @torch.no_grad()
    def encode_many(self, pictures: NDArray[np.uint8], *, batch_size: int = 1) -> list[SamEmbedding]:
        """Encode slices of one size, (N, H, W) uint8; batches pay with the miniature, or on a GPU."""
        if pictures.ndim != 3 or pictures.dtype != np.uint8:
            raise ValueError(f"SAM reads slices of uint8, (H, W): got {pictures.dtype} of shape {pictures.shape[1:]}")
        resized = [self._resized(picture) for picture in pictures]
        encoded: list[SamEmbedding] = []
        for start in range(0, len(resized), batch_size):
            batch = torch.stack(resized[start : start + batch_size])
            height, width = batch.shape[-2:]
            features: Tensor = self.sam.image_encoder(self.sam.preprocess(batch))
            size = (int(pictures.shape[1]), int(pictures.shape[2]))
            encoded += [SamEmbedding(one[None], size, (int(height), int(width))) for one in features]
        return encoded

    def segment(
        self,
        embedding: SamEmbedding,
        points: NDArray[np.generic] | None = None,
        labels: NDArray[np.generic] | None = None,
        box: NDArray[np.generic] | None = None,
    ) -> tuple[NDArray[np.bool_], float]:
        """Mask (H, W) of what the prompt means, and the IoU that SAM predicts for it; SAM's single-mask output.

        `points` (P, 2) in (x, y) pixels: x counts columns (the slice's second axis), y rows; `labels` (P,): 1
        foreground, 0 background; `box` (4,): (x0, y0, x1, y1). Give points with labels, a box, or all of them.
        """
        if (points is None) != (labels is None):
            raise ValueError("points and labels go together: one label (1 or 0) for each point")
        if points is None and box is None:
            raise ValueError("a prompt is needed: points with labels, a box, or both")
        self._predictor.features = embedding.features
        self._predictor.original_size = embedding.original_size
        self._predictor.input_size = embedding.input_size
        self._predictor.is_image_set = True
        masks, quality, _ = cast("Any", self._predictor.predict)(
            point_coords=None if points is None else np.asarray(points, dtype=np.float64),
            point_labels=None if labels is None else np.asarray(labels, dtype=np.int64),
            box=None if box is None else np.asarray(box, dtype=np.float64),
            multimask_output=False,
        )
        return masks[0], float(quality[0])

    def _resized(self, picture: NDArray[np.uint8]) -> Tensor:
        """The slice in three channels, its longer side as long as the model wants it, (3, h, w)."""
        colour = np.repeat(picture[:, :, None], 3, axis=2)
        resized = self._predictor.transform.apply_image(colour)
        return torch.as_tensor(resized, device=self.sam.device).permute(2, 0, 1).contiguous()


def _miniature() -> Sam:
    from unseg_bench.blocks.miniature.architecture import build_sam, settings

    return build_sam(**settings()["sam"]["architecture"])
