"""Random weights in the published formats and sizes, seeded, and a CLIP whose captions tell the cohort's slices apart.

None of the published files can be stored here, and none has to be: what a full-size run needs of memory, shapes and
formats does not depend on the numbers. One thing does: a random CLIP calls every slice the same, and then there is
nothing to learn from. So the projection of its texts is solved for, such that the cohort's slices get true labels.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from segment_anything import sam_model_registry
from torch import Tensor
from torch.nn import functional
from torchvision.models import resnet50

from unseg_bench.blocks.clip.scorer import ClipScorer

CLIP_NAME = "ViT-B-32-quickgelu"
"""OpenAI's ViT-B/32 as open_clip names it where its weights come from a file."""


PARAMETERS = {"clip": 151_277_313, "vit_b": 93_735_472, "vit_h": 641_090_608, "resnet50-body": 23_508_032}
"""As published; of ResNet-50 without its last layer."""


def save_sam(path: Path, model: str) -> Path:
    """Save a random SAM (`vit_b` or `vit_h`) as segment-anything does: a state dict in a .pth file."""
    torch.manual_seed(1)
    torch.save(sam_model_registry[model]().state_dict(), path)
    return path


def save_resnet(path: Path) -> Path:
    """Save a random ResNet-50 with its 1000 classes, as torchvision does."""
    torch.manual_seed(2)
    torch.save(resnet50(weights=None).state_dict(), path)
    return path


def save_clip(path: Path) -> Path:
    """Save a random CLIP ViT-B/32 as the safetensors file that open_clip publishes of OpenAI's."""
    torch.manual_seed(3)
    model: Any = open_clip.create_model(CLIP_NAME, load_weights=False)
    save_file(model.state_dict(), path)
    return path


def teach_captions(
    path: Path,
    taught: Path,
    pictures: Sequence[NDArray[Any]],
    tumour: NDArray[np.bool_],
    captions: Sequence[Sequence[str]],
) -> Path:
    """Save the CLIP at `path` as `taught`, with texts projected so that pictures (H, W) get their label in `tumour`.

    `pictures`: uint8 as SaLIP and the paper's CLISC show them, float as CLISC's code does. `captions`: those on normal
    tissue, those on tumours. The texts' difference is orthogonal to the mean picture; its product with each picture has
    one size, and the label's sign.
    """
    scorer = ClipScorer(CLIP_NAME, path)
    own = torch.eye(scorer.model.text_projection.shape[1])
    if pictures[0].dtype == np.uint8:
        found = scorer.cosines(pictures, own)
    else:
        from PIL import Image

        found = scorer._cosines([Image.fromarray(one) for one in pictures], own, 64)
    features = torch.from_numpy(found).double()
    mean = functional.normalize(features.mean(0), dim=0)
    signs = torch.where(torch.from_numpy(tumour), 1.0, -1.0).double()
    apart = torch.linalg.pinv(torch.cat([features, mean[None]])) @ torch.cat([signs, torch.zeros(1).double()])
    length = apart.norm()
    direction = 3 * apart / length
    texts = [caption for group in captions for caption in group]
    targets = torch.stack(
        [mean + sign * direction for sign, group in zip((-1, 1), captions, strict=True) for _ in group]
    )
    model = scorer.model
    hidden = _hidden_states(scorer, texts).double()
    with torch.no_grad():
        model.text_projection.copy_((torch.linalg.pinv(hidden) @ targets).float())
        # 2 x 3 / sqrt(10) x scale / length is the logit of a picture: 3, a probability of 0.95.
        model.logit_scale.fill_(float(torch.log(3 * length * np.sqrt(10) / 6)))
    save_file({key: value.contiguous() for key, value in model.state_dict().items()}, taught)
    return taught


@torch.no_grad()
def _hidden_states(scorer: ClipScorer, texts: Sequence[str]) -> Tensor:
    """What the text encoder hands to its projection, (texts, width)."""
    model = scorer.model
    width = model.text_projection.shape[0]
    kept = model.text_projection.detach().clone()
    model.text_projection.copy_(torch.eye(width))
    hidden = model.encode_text(scorer._tokens(texts))
    model.text_projection.copy_(kept)
    return hidden
