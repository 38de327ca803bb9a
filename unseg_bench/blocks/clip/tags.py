"""Weights that open_clip knows by a tag: what they are called here, and where their file is."""

from collections.abc import Mapping
from typing import Any

from unseg_bench.blocks.weights_registry import WeightsEntry
from unseg_bench.errors import WeightsError

OPENAI_NAMES = {"ViT-B-32": "clip-vit-b-32-openai", "ViT-B-16": "clip-vit-b-16-openai"}
"""OpenAI's weights, which have names of their own in the registry, by open_clip's name of the model."""


def clip_weights_name(model_name: str, pretrained: str) -> str:
    """Return what the weights of `ClipScorer(model_name, pretrained)` are called here; a file's path as it is."""
    base = model_name.removesuffix("-quickgelu")
    if pretrained == "miniature":
        return "miniature-clip"
    if pretrained == "openai" and base in OPENAI_NAMES:
        return OPENAI_NAMES[base]
    if pretrained.startswith("clip-") or "/" in pretrained or "." in pretrained:
        return pretrained
    return _name(base, pretrained)


def find_tag_entry(name: str) -> WeightsEntry | None:
    """Return the entry of a tag by its name here, such as 'clip-vit-l-14-laion2b_s32b_b82k'; None for a stranger."""
    if not name.startswith("clip-"):  # before open_clip, which takes seconds to load
        return None
    import open_clip
    from open_clip.pretrained import get_pretrained_cfg

    for model_name, pretrained in open_clip.list_pretrained():
        if name == _name(model_name, pretrained):
            tag = dict(get_pretrained_cfg(model_name, pretrained) or {})
            return tag_entry(model_name, pretrained, tag) if tag.get("hf_hub") else None
    return None


def tag_entry(model_name: str, pretrained: str, tag: Mapping[str, Any]) -> WeightsEntry:
    """Return what is known of a tag's weights, by what open_clip says of it: safetensors on Hugging Face, no digest.

    Raises WeightsError where there is no such file.
    """
    hub = str(tag.get("hf_hub") or "").strip("/")
    if not hub:
        raise WeightsError(
            f"clip weights {pretrained!r} of {model_name} have no safetensors file on Hugging Face: "
            "fetch them yourself and give the file's path."
        )
    name = _name(model_name, pretrained)
    url = f"https://huggingface.co/{hub}/resolve/main/open_clip_model.safetensors"
    return WeightsEntry(name, f"CLIP {model_name}", f"{name}.safetensors", url, None, None, f"see {hub}")


def _name(model_name: str, pretrained: str) -> str:
    return f"clip-{model_name}-{pretrained}".lower()
