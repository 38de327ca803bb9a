"""The weights that have a name: where their authors publish them, their SHA-256, their licence."""

import json
from dataclasses import dataclass
from pathlib import Path

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


REGISTRY: tuple[WeightsEntry, ...] = (
    WeightsEntry(
        "sam-vit-b",
        "Segment Anything, ViT-B (93.7 M parameters)",
        "sam_vit_b_01ec64.pth",
        _SAM + "sam_vit_b_01ec64.pth",
        "ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912",
        None,
        "Apache-2.0",
    ),
    WeightsEntry(
        "sam-vit-l",
        "Segment Anything, ViT-L (312 M parameters)",
        "sam_vit_l_0b3195.pth",
        _SAM + "sam_vit_l_0b3195.pth",
        "3adcc4315b642a4d2101128f611684e8734c41232a17c648ed1693702a49a622",
        None,
        "Apache-2.0",
    ),
    WeightsEntry(
        "sam-vit-h",
        "Segment Anything, ViT-H (641 M parameters)",
        "sam_vit_h_4b8939.pth",
        _SAM + "sam_vit_h_4b8939.pth",
        "a7bf3b02f3ebf1267aba913ff637d9a2d5c33d3173bb679e46d9f338c26f262e",
        None,
        "Apache-2.0",
    ),
    WeightsEntry(
        "medsam-vit-b",
        "MedSAM, SAM ViT-B tuned on medical images",
        "medsam_vit_b.pth",
        None,
        None,
        None,
        "Apache-2.0",
        page="medsam_vit_b.pth from its authors' page (https://github.com/bowang-lab/MedSAM)",
    ),
    WeightsEntry(
        "clip-vit-b-32-openai",
        "OpenAI's CLIP ViT-B/32 in open_clip's format (QuickGELU)",
        "clip_vit_b_32_openai.safetensors",
        _TIMM + "vit_base_patch32_clip_224.openai/resolve/a6f597a30f7b82c51704746581f9a4e41421e878/"
        "open_clip_model.safetensors",
        "e6d1bd7789aa45192b3bf90570a789b478bae1b74ebcce7eddd908e83a2b7c31",
        605_143_284,
        "MIT",
    ),
    WeightsEntry(
        "clip-vit-b-16-openai",
        "OpenAI's CLIP ViT-B/16 in open_clip's format (QuickGELU)",
        "clip_vit_b_16_openai.safetensors",
        _TIMM + "vit_base_patch16_clip_224.openai/resolve/main/open_clip_model.safetensors",
        None,
        None,
        "MIT",
    ),
    WeightsEntry(
        "resnet50-imagenet-v1",
        "ResNet-50 on ImageNet, torchvision's first weights",
        "resnet50-0676ba61.pth",
        _TORCHVISION + "resnet50-0676ba61.pth",
        "0676ba61b6795bbe1773cffd859882e5e297624d384b6993f7c9e683e722fb8a",
        102_530_333,
        "BSD-3-Clause",
    ),
    WeightsEntry(
        "resnet50-imagenet-v2",
        "ResNet-50 on ImageNet, torchvision's second weights",
        "resnet50-11ad3fa6.pth",
        _TORCHVISION + "resnet50-11ad3fa6.pth",
        "11ad3fa62ca79e40addfd354a8ec4b7c75143b3038b8d2a807fbc68deab379ca",
        None,
        "BSD-3-Clause",
    ),
)


def miniature_entries() -> tuple[WeightsEntry, ...]:
    """The shipped pair, with the digests that its training wrote into `miniature/settings.json`."""
    settings = json.loads((_MINIATURE / "settings.json").read_text(encoding="utf-8"))
    return tuple(
        WeightsEntry(
            f"miniature-{kind}",
            f"{what} in small, trained on phantoms; no evidence about the real one",
            settings[kind]["file"],
            None,
            settings[kind]["sha256"],
            settings[kind]["bytes"],
            "Apache-2.0",
            packaged=_MINIATURE / settings[kind]["file"],
        )
        for kind, what in (("clip", "CLIP"), ("sam", "SAM"))
    )


def synthetic_entry() -> WeightsEntry:
    """The shipped pair of the method `synthetic`, with the digest that its training wrote into its settings."""
    settings = json.loads((_SYNTHETIC / "settings.json").read_text(encoding="utf-8"))
    return WeightsEntry(
        "synthetic",
        "two small 3D U-Nets that learned from phantoms with their masks; on phantoms no evidence",
        settings["file"],
        None,
        settings["sha256"],
        settings["bytes"],
        "Apache-2.0",
        packaged=_SYNTHETIC / settings["file"],
    )


def shipped_entries() -> tuple[WeightsEntry, ...]:
    """All weights that are part of this package."""
    return (*miniature_entries(), synthetic_entry())
