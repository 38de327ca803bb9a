"""What a row is called: the method, and where it stands in several rows what sets them apart."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

SHOWN_OPTIONS = 2
"""So many options a label tells; of more it says how many."""
LONGEST_OPTION = 40


@dataclass(frozen=True, slots=True)
class Variant:
    """One method with its options. digest: of all that it is made of, the last resort of a name.

    differs: what the run's record says is not as in a plain call ('preset', 'options'); a label tells that, alone too.
    """

    method: str
    preset: str
    options: Mapping[str, object]
    digest: str
    made_elsewhere: bool = False
    differs: Mapping[str, Any] = field(default_factory=dict[str, Any])


def label_all(variants: Sequence[Variant]) -> list[str]:
    """A label for each variant, in order, no two alike.

    'clisc' alone with its usual settings; 'clisc paper', 'clisc amda.alpha=10' or 'clisc demo, amda.alpha=10' where
    there are several, or it has others; with the digest where nothing that a user sets is different (the code is).
    """
    found = [_label(variant, [other for other in variants if other.method == variant.method]) for variant in variants]
    return [
        f"{label} ({variant.digest})" if found.count(label) > 1 else label
        for label, variant in zip(found, variants, strict=True)
    ]


def _label(variant: Variant, rivals: Sequence[Variant]) -> str:
    """The method and how it differs from its rivals, of which it is one: origin, preset, then options."""
    parts: list[str] = []
    if len({rival.made_elsewhere for rival in rivals}) > 1:
        rivals = [rival for rival in rivals if rival.made_elsewhere == variant.made_elsewhere]
        parts += ["made elsewhere"] if variant.made_elsewhere else []
    if len({rival.preset for rival in rivals}) > 1 or variant.differs.get("preset"):
        rivals = [rival for rival in rivals if rival.preset == variant.preset]
        parts.append(variant.preset)
    parts += _options(variant, rivals)
    return f"{variant.method} {', '.join(parts)}".strip()


def _options(variant: Variant, rivals: Sequence[Variant]) -> list[str]:
    """The options that are not the same for all rivals, or not the preset's, shortest first."""
    own: Mapping[str, object] = variant.differs.get("options", {})
    texts = [
        _text(name, value)
        for name, value in variant.options.items()
        if name in own or len({json.dumps(rival.options.get(name)) for rival in rivals}) > 1
    ]
    more = len(texts) - SHOWN_OPTIONS
    shown = sorted(texts, key=lambda text: (len(text), text))[:SHOWN_OPTIONS]
    return [*shown, *([f"{more} more option{'s' if more > 1 else ''}"] if more > 0 else [])]


def _text(name: str, value: object) -> str:
    """An option as `--set` takes it, cut where it is long."""
    text = f"{name}={value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"
    return text if len(text) <= LONGEST_OPTION else f"{text[: LONGEST_OPTION - 3]}..."
