"""CLIP through open_clip: how well does a slice fit each of several captions?

open_clip never touches the network here: weights come through `unseg_bench.blocks.weights`, and models whose tokenizer
would have to be fetched are refused.
"""

import logging
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import numpy as np
import open_clip
import torch
from numpy.typing import NDArray
from open_clip.pretrained import get_pretrained_cfg
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image
from torch import Tensor

from unseg_bench.blocks.clip.tags import OPENAI_NAMES, tag_entry
from unseg_bench.blocks.weights import WeightsFile, known_weights, load_into, resolve, resolve_entry
from unseg_bench.errors import SettingsError, WeightsError

_BATCH = 64


class ClipScorer:
    """Zero-shot classification of slices by captions.

    `model_name` is one of open_clip's names and `pretrained` one of its tags (`openai`, `laion2b_s34b_b79k`, ...), a
    known name of `ubench weights`, or a file; `pretrained="miniature"` is the small CLIP shipped here, whatever
    `model_name` says. `quick_gelu` None: as the tag was trained (OpenAI's weights: yes); for a file, as the model's
    name says, or yes where the file is known to be OpenAI's. `weights` is the checked file that was loaded.

    Raises WeightsError for unknown models and tags, missing files and weights of another architecture.
    """

    def __init__(
        self,
        model_name: str = "ViT-B-32",
        pretrained: str | Path = "openai",
        *,
        device: str = "cpu",
        offline: bool = False,
        quick_gelu: bool | None = None,
    ) -> None:
        if str(pretrained) == "miniature":
            self.weights = resolve("miniature-clip", offline=offline)
            model, preprocess = _miniature()
            tokenizer = open_clip.SimpleTokenizer()
        else:
            config = _local_config(model_name)
            self.weights, tag = _resolve(model_name, str(pretrained), offline)
            quick = _needs_quick_gelu(self.weights, tag) if quick_gelu is None else quick_gelu
            model, preprocess = _full_size(model_name, tag, quick or bool(config.get("quick_gelu")))
            tokenizer = open_clip.get_tokenizer(model_name)
        load_into(model, self.weights, f"CLIP {model_name}")
        self.model: Any = model.eval().to(device)
        self.device = device
        self._preprocess: Any = image_transform_v2(preprocess, is_train=False)
        self._tokenizer: Any = tokenizer

    def probabilities(
        self, images: NDArray[np.generic], captions: Sequence[Sequence[str]], *, batch_size: int = _BATCH
    ) -> NDArray[np.float32]:
        """Probability of each class for each slice, (N, classes).

        `images` (N, H, W): uint8 as they are; float slices are scaled to 8 bit, each from its own minimum to its own
        maximum. Slices that are not square are padded to one with the grey of their corners, so that nothing is cut
        off. `captions` holds one list of captions a class. Softmax over classes of logit scale x cosine similarity
        (CLISC, eq. 1). Raises SettingsError for a caption that is longer than the model reads.
        """
        return self._softmax([_square(picture) for picture in as_bytes(images)], captions, batch_size)

    def probabilities_of_values(
        self, slices: NDArray[np.float32], captions: Sequence[Sequence[str]], *, batch_size: int = _BATCH
    ) -> NDArray[np.float32]:
        """As `probabilities`, of float slices (N, H, W) as CLISC's code hands them over, not scaled to 8 bit.

        CLIP's own transform resizes the shorter side, cuts the middle out, and then makes bytes of the values: what
        follows the point is dropped, below 0 and above 255 there is nothing.
        Source: HiLab-git/CLISC at b9d22c1, train/step0_get_clip_label.py.
        """
        return self._softmax([Image.fromarray(np.asarray(one, np.float32)) for one in slices], captions, batch_size)

    @property
    def logit_scale(self) -> float:
        """What cosine similarities are multiplied by before a softmax over classes; 100 in OpenAI's models."""
        return float(self.model.logit_scale.detach().exp())

    @torch.no_grad()
    def class_features(self, captions: Sequence[Sequence[str]], *, equal_weights: bool = True) -> Tensor:
        """One unit vector a class, (classes, D): the mean of its captions' vectors, scaled to unit length.

        `equal_weights`: the mean is of unit vectors, as in OpenAI's recipe; without, of the text encoder's own, in
        which long vectors weigh more. Raises SettingsError for a caption that is longer than the model reads.
        """
        if not captions or not all(captions):
            raise ValueError("captions: give one non-empty list of captions for each class")
        means = [
            self.model.encode_text(self._tokens(group).to(self.device), normalize=equal_weights).mean(0)
            for group in captions
        ]
        return torch.nn.functional.normalize(torch.stack(means), dim=-1)

    def cosines(
        self, pictures: Sequence[NDArray[np.uint8]] | NDArray[np.uint8], classes: Tensor, *, batch_size: int = _BATCH
    ) -> NDArray[np.float32]:
        """Cosine similarity of pictures, each (H, W) uint8 of any size, to `classes` (classes, D), (N, classes).

        Pictures that are not square are padded as in `probabilities`.
        """
        return self._cosines([_square(picture) for picture in pictures], classes, batch_size)

    def _softmax(
        self, pictures: Sequence[Image.Image], captions: Sequence[Sequence[str]], batch_size: int
    ) -> NDArray[np.float32]:
        cosines = self._cosines(pictures, self.class_features(captions), batch_size)
        return (self.logit_scale * torch.from_numpy(cosines)).softmax(dim=-1).numpy()

    @torch.no_grad()
    def _cosines(self, pictures: Sequence[Image.Image], classes: Tensor, batch_size: int) -> NDArray[np.float32]:
        rows = [np.zeros((0, len(classes)), np.float32)]
        for start in range(0, len(pictures), batch_size):
            some = [self._preprocess(picture) for picture in pictures[start : start + batch_size]]
            features = self.model.encode_image(torch.stack(some).to(self.device), normalize=True)
            rows.append((features @ classes.T).cpu().numpy())
        return np.concatenate(rows)

    def _tokens(self, captions: Sequence[str]) -> Tensor:
        """Tokens (captions, length); open_clip itself would cut what is too long without a word."""
        length: int = self._tokenizer.context_length
        for caption in captions:
            if (found := len(self._tokenizer.encode(caption)) + 2) > length:
                raise SettingsError(
                    f"the caption {caption!r} has {found} tokens, CLIP reads {length}: make it shorter."
                )
        return self._tokenizer(list(captions))


def as_bytes(images: NDArray[np.generic]) -> NDArray[np.uint8]:
    """(N, H, W) -> uint8: as they are, or, for other types, each slice scaled from its minimum to its maximum."""
    if images.ndim != 3:
        raise ValueError(f"images: expected (N, H, W), got an array of shape {images.shape}")
    if images.dtype == np.uint8:
        return cast("NDArray[np.uint8]", images)
    values = images.astype(np.float32)
    low = values.min((1, 2), keepdims=True)
    span = values.max((1, 2), keepdims=True) - low
    return np.rint(255 * (values - low) / np.where(span > 0, span, 1)).astype(np.uint8)


def _square(picture: NDArray[np.uint8]) -> Image.Image:
    height, width = picture.shape
    side = max(height, width)
    corners = picture[[0, 0, -1, -1], [0, -1, 0, -1]]
    canvas = np.full((side, side), int(np.median(corners)), np.uint8)
    top, left = (side - height) // 2, (side - width) // 2
    canvas[top : top + height, left : left + width] = picture
    return Image.fromarray(canvas)


def _miniature() -> tuple[Any, PreprocessCfg]:
    from unseg_bench.blocks.miniature.architecture import build_clip, settings

    clip = settings()["clip"]
    return build_clip(**clip["architecture"]), PreprocessCfg(
        size=clip["architecture"]["image_size"], **clip["preprocessing"]
    )


def _full_size(model_name: str, tag: dict[str, Any], quick_gelu: bool) -> tuple[Any, PreprocessCfg]:
    with _weights_follow():
        model = open_clip.create_model(
            model_name, load_weights=False, force_quick_gelu=quick_gelu, pretrained_text=False
        )
    chosen = {key: tag[key] for key in ("mean", "std", "interpolation", "resize_mode") if tag.get(key)}
    return model, PreprocessCfg(size=cast("Any", model.visual).image_size, **chosen)


@contextmanager
def _weights_follow() -> Generator[None]:
    """Keep back open_clip's warning that a model starts at random: a checked file is loaded into it next, or raises."""

    def is_other(record: logging.LogRecord) -> bool:
        return "initialized randomly" not in record.getMessage()

    root = logging.getLogger()  # open_clip warns there
    root.addFilter(is_other)
    try:
        yield
    finally:
        root.removeFilter(is_other)


def _local_config(model_name: str) -> dict[str, Any]:
    """open_clip's own settings of a model, if all that it needs lies in the package."""
    config: dict[str, Any] | None = open_clip.get_model_config(model_name)
    if config is None:
        raise WeightsError(f"clip model {model_name!r} is not known to open_clip; open_clip.list_models() lists them.")
    text = config["text_cfg"]
    if text.get("hf_model_name") or text.get("hf_tokenizer_name"):
        raise WeightsError(
            f"clip model {model_name!r} needs a tokenizer from Hugging Face, which is not fetched here; "
            "choose a model with open_clip's own tokenizer, such as ViT-B-32 or ViT-L-14."
        )
    return config


def clip_weights(model_name: str, pretrained: str | Path, *, offline: bool = False) -> WeightsFile:
    """The checked file that `ClipScorer(model_name, pretrained)` would load, without building the model."""
    if str(pretrained) == "miniature":
        return resolve("miniature-clip", offline=offline)
    _local_config(model_name)
    return _resolve(model_name, str(pretrained), offline)[0]


def _resolve(model_name: str, pretrained: str, offline: bool) -> tuple[WeightsFile, dict[str, Any]]:
    """The weights' file, and what open_clip says of the tag (nothing for a file or a known name)."""
    base = model_name.removesuffix("-quickgelu")
    tag = dict(get_pretrained_cfg(base, pretrained) or {})
    if pretrained == "openai" and base in OPENAI_NAMES:
        return resolve(OPENAI_NAMES[base], offline=offline), tag
    if not tag or pretrained in known_weights():
        return resolve(pretrained, offline=offline), {}
    return resolve_entry(tag_entry(base, pretrained, tag), offline=offline), tag


def _needs_quick_gelu(file: WeightsFile, tag: dict[str, Any]) -> bool:
    """Whether these weights were trained with QuickGELU, which open_clip's plain model names compute without."""
    known = known_weights()
    openai = [known[name] for name in OPENAI_NAMES.values()]
    return bool(tag.get("quick_gelu")) or any(
        file.name == entry.name or (entry.sha256 is not None and file.sha256 == entry.sha256) for entry in openai
    )
