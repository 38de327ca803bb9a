"""SAM through segment-anything: a slice is encoded once, then asked with boxes and points.

All steps are those of the package's `SamPredictor`; what is added are checked weights, grey slices, batches of slices
and of prompts, and faster orders of the same sums.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias, cast

import numpy as np
import torch
from numpy.typing import NDArray
from segment_anything import sam_model_registry
from segment_anything.modeling import ImageEncoderViT, Sam
from segment_anything.utils.transforms import ResizeLongestSide
from torch import Tensor

from unseg_bench.blocks.precision import Precision, autocast, has_bfloat16
from unseg_bench.blocks.prompts import Prompt
from unseg_bench.blocks.sam.attention import FastEncoder
from unseg_bench.blocks.sam.decoder import FastDecoder
from unseg_bench.blocks.sam.options import SamPrecision
from unseg_bench.blocks.weights import load_into, resolve
from unseg_bench.errors import SettingsError, WeightsError

MODELS = ("vit_b", "vit_l", "vit_h", "miniature")

PROMPTS_AT_ONCE = 64
"""Prompts in a batch of the decoder at most: 3 GB at full size."""

_CHANNELS_IN_CACHE = 1 << 22
"""Numbers that the images of a batch's prompts may have on a CPU, to stay near its cache: 4 prompts at full size."""

Choice: TypeAlias = Literal["single", "best"]
"""Which of the decoder's masks: the single-mask output, or of the three others that with the best predicted IoU."""


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
    model.

    Raises WeightsError for an unknown model, a missing file and weights of another architecture, and SettingsError for
    the precision 'bfloat16' on anything but a GPU that has it in hardware.
    """

    def __init__(
        self,
        model: str = "vit_b",
        weights: str | Path | None = None,
        *,
        device: str = "cpu",
        offline: bool = False,
        precision: SamPrecision = "float32",
    ) -> None:
        if model not in MODELS:
            raise WeightsError(f"sam model {model!r} is unknown: choose one of {', '.join(MODELS)}.")
        if precision == "bfloat16" and not has_bfloat16(device):
            raise SettingsError(
                f"sam.precision=bfloat16 needs a GPU that has it in hardware, not {device}; use float32"
            )
        own = "miniature-sam" if model == "miniature" else f"sam-{model.replace('_', '-')}"
        self.weights = resolve(own if weights is None else weights, offline=offline)
        sam = _miniature() if model == "miniature" else cast("Callable[[], Sam]", sam_model_registry[model])()
        load_into(sam, self.weights, f"SAM {model}")
        self.sam: Any = sam.eval().to(device)
        encoder = self.sam.image_encoder
        self._encoder = FastEncoder(encoder) if isinstance(encoder, ImageEncoderViT) else encoder
        self.decoder = FastDecoder(self.sam)
        self._precision: Precision = "mixed" if precision == "bfloat16" else "float32"
        self._transform: Any = ResizeLongestSide(self.sam.image_encoder.img_size)

    def encode(self, picture: NDArray[np.uint8]) -> SamEmbedding:
        """Encode one slice, (H, W) uint8."""
        return self.encode_many(picture[None])[0]

    @torch.inference_mode()
    def encode_many(self, pictures: NDArray[np.uint8], *, batch_size: int = 1) -> list[SamEmbedding]:
        """Encode slices of one size, (N, H, W) uint8; batches pay with the miniature, or on a GPU."""
        if pictures.ndim != 3 or pictures.dtype != np.uint8:
            raise ValueError(f"SAM reads slices of uint8, (H, W): got {pictures.dtype} of shape {pictures.shape[1:]}")
        size = (int(pictures.shape[1]), int(pictures.shape[2]))
        encoded: list[SamEmbedding] = []
        for start in range(0, len(pictures), batch_size):
            batch = torch.stack([self._resized(picture) for picture in pictures[start : start + batch_size]])
            with autocast(self._precision, self.sam.device):
                features: Tensor = self._encoder(self.sam.preprocess(batch))
            encoded += [self.embedding(one[None].float(), size) for one in features]
        return encoded

    def embedding(self, features: Tensor, original_size: tuple[int, int]) -> SamEmbedding:
        """The embedding whose features (1, C, h, w), float32 on the model's device, were kept; the slice was (H, W)."""
        height, width = self._transform.get_preprocess_shape(*original_size, self._transform.target_length)
        return SamEmbedding(features, original_size, (int(height), int(width)))

    @torch.inference_mode()
    def segment_many(
        self, embedding: SamEmbedding, prompts: Sequence[Prompt], *, choose: Choice = "single"
    ) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
        """Masks (N, H, W) of what N prompts mean, each on its own, and the IoU that SAM predicts for each, (N,).

        Points are in (x, y) pixels of the slice as it was given: x counts columns (the slice's second axis), y rows.
        """
        masks = np.zeros((len(prompts), *embedding.original_size), dtype=np.bool_)
        quality = np.zeros(len(prompts), dtype=np.float32)
        for batch in _batches(prompts, self.prompts_at_once):
            logits, iou = self._decode(embedding, [prompts[index] for index in batch], choose)
            masks[batch] = (self.full_size(embedding, logits) > self.sam.mask_threshold).cpu().numpy()
            quality[batch] = iou.cpu().numpy()
        return masks, quality

    def full_size(self, embedding: SamEmbedding, logits: Tensor) -> Tensor:
        """Logits of the decoder, (N, 4 h, 4 w), brought to the slice's own size, (N, H, W)."""
        return self.sam.postprocess_masks(logits[:, None], embedding.input_size, embedding.original_size)[:, 0]

    @property
    def prompts_at_once(self) -> int:
        """How many prompts of one slice to put to the decoder together on this device."""
        if torch.device(self.sam.device).type != "cpu":
            return PROMPTS_AT_ONCE
        encoder = self.sam.prompt_encoder
        height, width = encoder.image_embedding_size
        return min(PROMPTS_AT_ONCE, max(1, _CHANNELS_IN_CACHE // (height * width * encoder.embed_dim)))

    def to_input(self, points: NDArray[Any], original_size: tuple[int, int]) -> Tensor:
        """Points (..., 2) of a slice (H, W) in pixels of the model's input, float32 on the model's device."""
        moved = self._transform.apply_coords(np.asarray(points, dtype=np.float64), original_size)
        return torch.as_tensor(moved, dtype=torch.float32, device=self.sam.device)

    def _decode(self, embedding: SamEmbedding, prompts: Sequence[Prompt], choose: Choice) -> tuple[Tensor, Tensor]:
        """Low-resolution logits (N, h, w) and predicted IoU (N,) of prompts with equally many points, box or not."""
        size = embedding.original_size
        points = boxes = None
        if len(prompts[0].points):
            labels = torch.as_tensor(np.stack([one.labels for one in prompts]), device=self.sam.device).int()
            points = (self.to_input(np.stack([one.points for one in prompts]), size), labels)
        if prompts[0].box is not None:
            corners = np.array([one.box for one in prompts], dtype=np.float64).reshape(-1, 2, 2)
            boxes = self.to_input(corners, size).reshape(-1, 4)
        answers = self.decoder.ask(embedding.features, points, boxes)
        every = torch.arange(len(prompts), device=self.sam.device)
        best = answers.predicted_iou[:, 1:].argmax(dim=1) + 1
        outputs = best if choose == "best" else torch.zeros_like(every)
        return self.decoder.draw(answers, every, outputs), answers.predicted_iou[every, outputs]

    def _resized(self, picture: NDArray[np.uint8]) -> Tensor:
        """The slice in three channels, its longer side as long as the model wants it, (3, h, w)."""
        colour = np.repeat(picture[:, :, None], 3, axis=2)
        resized = self._transform.apply_image(colour)
        return torch.as_tensor(resized, device=self.sam.device).permute(2, 0, 1).contiguous()


def _batches(prompts: Sequence[Prompt], at_once: int) -> list[list[int]]:
    """Indices of prompts that go through the decoder together: those with equally many points, box or not.

    Padding to one length would not be exact: a token that says 'not a point' takes its share of the attention.
    """
    alike: dict[tuple[int, bool], list[int]] = {}
    for index, prompt in enumerate(prompts):
        alike.setdefault((len(prompt.points), prompt.box is None), []).append(index)
    return [group[start : start + at_once] for group in alike.values() for start in range(0, len(group), at_once)]


def _miniature() -> Sam:
    from unseg_bench.blocks.miniature.architecture import build_sam, settings

    return build_sam(**settings()["sam"]["architecture"])
