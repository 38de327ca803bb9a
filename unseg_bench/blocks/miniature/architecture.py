"""The miniature pair: a CLIP of open_clip's class and a SAM of segment-anything's, small enough for two CPU cores.

Both are built from `settings.json` beside this file; the weights that fit them are `clip.safetensors` and
`sam.safetensors`, trained by `scripts/train_miniature_pair.py`. They stand in for the real models on a machine without
network: what they score is no evidence about CLIP or SAM (see `MODEL_CARD.md`).
"""

import json
from pathlib import Path
from typing import Any, cast

from open_clip.model import CLIP, CLIPTextCfg, CLIPVisionCfg
from segment_anything.modeling import MaskDecoder, PromptEncoder, Sam, TwoWayTransformer
from torch import Tensor, nn

FOLDER = Path(__file__).parent
SAM_ENCODER_STRIDE = 4


def settings() -> dict[str, Any]:
    """What the pair was built and trained with: `{"clip": {"architecture", "training", ...}, "sam": {...}}`."""
    return cast("dict[str, Any]", json.loads((FOLDER / "settings.json").read_text(encoding="utf-8")))


def build_clip(
    *,
    image_size: int,
    vision_width: int,
    vision_layers: list[int],
    text_width: int,
    text_heads: int,
    text_layers: int,
    embed_dim: int,
) -> CLIP:
    """open_clip's `CLIP` with a ModifiedResNet of `vision_layers` blocks a stage; random weights.

    Images are (N, 3, image_size, image_size); texts are token ids of open_clip's `SimpleTokenizer`, (N, 77).
    """
    vision = CLIPVisionCfg(
        layers=(vision_layers[0], vision_layers[1], vision_layers[2], vision_layers[3]),
        width=vision_width,
        head_width=vision_width * 2,
        image_size=image_size,
    )
    text = CLIPTextCfg(width=text_width, heads=text_heads, layers=text_layers)
    return CLIP(embed_dim=embed_dim, vision_cfg=vision, text_cfg=text, quick_gelu=False)


def build_sam(
    *, image_size: int, dim: int, widths: list[int], decoder_depth: int, decoder_heads: int, decoder_mlp_dim: int
) -> Sam:
    """segment-anything's `Sam` around a convolutional encoder of stride 4; random weights.

    `dim` is the width of the embedding, `widths` those of the encoder at strides 2, 4, 8 and 16. Low-resolution masks
    are as large as the input, (image_size, image_size).
    """
    grid = image_size // SAM_ENCODER_STRIDE
    return Sam(
        image_encoder=cast("Any", ConvEncoder(image_size, dim, widths)),
        prompt_encoder=PromptEncoder(
            embed_dim=dim,
            image_embedding_size=(grid, grid),
            input_image_size=cast("Any", (image_size, image_size)),
            mask_in_chans=16,
        ),
        mask_decoder=MaskDecoder(
            num_multimask_outputs=3,
            transformer=TwoWayTransformer(
                depth=decoder_depth, embedding_dim=dim, num_heads=decoder_heads, mlp_dim=decoder_mlp_dim
            ),
            transformer_dim=dim,
            iou_head_depth=3,
            iou_head_hidden_dim=dim,
        ),
    )


class ConvEncoder(nn.Module):
    """Image encoder: a small U-shaped network; `img_size` is the attribute that `SamPredictor` asks for.

    (N, 3, img_size, img_size) -> (N, dim, img_size / 4, img_size / 4).
    """

    def __init__(self, img_size: int, dim: int, widths: list[int]) -> None:
        super().__init__()
        self.img_size = img_size
        half, quarter, eighth, sixteenth = widths
        self.stem = nn.Sequential(_conv(3, half, stride=2), _conv(half, quarter, stride=2))
        self.quarter = nn.Sequential(ResidualBlock(quarter), ResidualBlock(quarter))
        self.eighth = nn.Sequential(_conv(quarter, eighth, stride=2), ResidualBlock(eighth), ResidualBlock(eighth))
        self.sixteenth = nn.Sequential(
            _conv(eighth, sixteenth, stride=2), ResidualBlock(sixteenth), ResidualBlock(sixteenth)
        )
        self.up_to_eighth = nn.Conv2d(sixteenth, eighth, kernel_size=1)
        self.merge_eighth = _conv(eighth, eighth)
        self.up_to_quarter = nn.Conv2d(eighth, quarter, kernel_size=1)
        self.merge_quarter = _conv(quarter, quarter)
        self.neck = nn.Conv2d(quarter, dim, kernel_size=1)

    def forward(self, image: Tensor) -> Tensor:
        """Encode normalised images; see the class for the shapes."""
        quarter = self.quarter(self.stem(image))
        eighth = self.eighth(quarter)
        sixteenth = self.sixteenth(eighth)
        eighth = self.merge_eighth(eighth + _twice(self.up_to_eighth(sixteenth)))
        quarter = self.merge_quarter(quarter + _twice(self.up_to_quarter(eighth)))
        return self.neck(quarter)


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions and a shortcut; the shape stays."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = _conv(width, width)
        self.second = nn.Sequential(nn.Conv2d(width, width, 3, padding=1, bias=False), _norm(width))

    def forward(self, x: Tensor) -> Tensor:
        """(N, width, H, W) -> (N, width, H, W)."""
        return nn.functional.relu(x + self.second(self.first(x)))


def _conv(inside: int, outside: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inside, outside, 3, stride=stride, padding=1, bias=False), _norm(outside), nn.GELU())


def _norm(width: int) -> nn.GroupNorm:
    return nn.GroupNorm(8, width)


def _twice(x: Tensor) -> Tensor:
    return nn.functional.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
