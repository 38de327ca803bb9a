"""The weights that have a name: where their authors publish them, their SHA-256, their licence."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_SAM = "https://dl.fbaipublicfiles.com/segment_anything/"
_TIMM = "https://huggingface.co/timm/"
_TORCHVISION = "https://download.pytorch.org/models/"
_MINIATURE = Path(__file__).parent / "miniature"
_SYNTHETIC = Path(__file__).parent / "synthetic"


@dataclass(frozen=True, slots=True)
class WeightsEntry:
    """What is known of one set of weights.

    `file` is its name in the cache; `url` None: only from `page`, by hand; `sha256` None: unknown, trusted on first use
    and held to it later; `bytes` None: unknown; `packaged`: shipped with this package at that path.
    """

    name: str
    what: str
    file: str
    url: str | None
    sha256: str | None
    bytes: int | None
    licence: str
    page: str = ""
    packaged: Path | None = None


_SHA256 = {
    "sam_vit_b_01ec64.pth": "ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912",
    "sam_vit_l_0b3195.pth": "3adcc4315b642a4d2101128f611684e8734c41232a17c648ed1693702a49a622",
    "sam_vit_h_4b8939.pth": "a7bf3b02f3ebf1267aba913ff637d9a2d5c33d3173bb679e46d9f338c26f262e",
    "clip_vit_b_32_openai.safetensors": "e6d1bd7789aa45192b3bf90570a789b478bae1b74ebcce7eddd908e83a2b7c31",
    "resnet50-0676ba61.pth": "0676ba61b6795bbe1773cffd859882e5e297624d384b6993f7c9e683e722fb8a",
    "resnet50-11ad3fa6.pth": "11ad3fa62ca79e40addfd354a8ec4b7c75143b3038b8d2a807fbc68deab379ca",
}
"""Of the files below, by their names in the cache."""


def _published(name: str, what: str, file: str, source: str, licence: str, size: int | None = None) -> WeightsEntry:
    """Weights in a file of their authors'; `source`: the folder it lies in, or its whole address."""
    url = source + file if source.endswith("/") else source
    return WeightsEntry(name, what, file, url, _SHA256.get(file), size, licence)


def _clip(patch: int, revision: str, size: int | None = None) -> WeightsEntry:
    source = f"{_TIMM}vit_base_patch{patch}_clip_224.openai/resolve/{revision}/open_clip_model.safetensors"
    what, file = (
        f"OpenAI's CLIP ViT-B/{patch} in open_clip's format (QuickGELU)",
        f"clip_vit_b_{patch}_openai.safetensors",
    )
    return _published(f"clip-vit-b-{patch}-openai", what, file, source, "MIT", size)


def _sam(kind: str, parameters: str, file: str, size: int) -> WeightsEntry:
    what = f"Segment Anything, ViT-{kind.upper()} ({parameters} parameters)"
    return _published(f"sam-vit-{kind}", what, file, _SAM, "Apache-2.0", size)


def _resnet(version: int, which: str, file: str, size: int | None = None) -> WeightsEntry:
    what = f"ResNet-50 on ImageNet, torchvision's {which} weights"
    return _published(f"resnet50-imagenet-v{version}", what, file, _TORCHVISION, "BSD-3-Clause", size)


_MEDSAM = WeightsEntry(
    *("medsam-vit-b", "MedSAM, SAM ViT-B tuned on medical images", "medsam_vit_b.pth", None, None, None, "Apache-2.0"),
    page="medsam_vit_b.pth from its authors' page (https://github.com/bowang-lab/MedSAM)",
)

REGISTRY: tuple[WeightsEntry, ...] = (
    _sam("b", "93.7 M", "sam_vit_b_01ec64.pth", 375_042_383),
    _sam("l", "312 M", "sam_vit_l_0b3195.pth", 1_249_524_607),
    _sam("h", "641 M", "sam_vit_h_4b8939.pth", 2_564_550_879),
    _MEDSAM,
    _clip(32, "a6f597a30f7b82c51704746581f9a4e41421e878", 605_143_284),
    _clip(16, "main"),
    _resnet(1, "first", "resnet50-0676ba61.pth", 102_530_333),
    _resnet(2, "second", "resnet50-11ad3fa6.pth"),
)


def shipped_entries() -> tuple[WeightsEntry, ...]:
    """All weights that are part of this package, with the digests that their training wrote into `settings.json`."""
    pair, synthetic = (
        json.loads((folder / "settings.json").read_text(encoding="utf-8")) for folder in (_MINIATURE, _SYNTHETIC)
    )
    small = "in small, trained on phantoms; no evidence about the real one"
    heads = "two small 3D U-Nets that learned from phantoms with their masks; on phantoms no evidence"
    return (
        _shipped("miniature-clip", f"CLIP {small}", _MINIATURE, pair["clip"]),
        _shipped("miniature-sam", f"SAM {small}", _MINIATURE, pair["sam"]),
        _shipped("synthetic", heads, _SYNTHETIC, synthetic),
    )


def _shipped(name: str, what: str, folder: Path, settings: Mapping[str, Any]) -> WeightsEntry:
    file, sha256, size = (settings[fact] for fact in ("file", "sha256", "bytes"))
    return WeightsEntry(name, what, file, None, sha256, size, "Apache-2.0", packaged=folder / file)
