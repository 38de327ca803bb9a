"""Presets of `synthetic`; apart from the options, so that editing a preset leaves cached stages valid."""

from typing import Any

PAPER: dict[str, Any] = {}
"""The weights as shipped; nothing is trained. No paper stands behind it: the name is the default's on real data."""

ADAPTED: dict[str, Any] = {"adaptation": {"steps": 120}}
"""Adapted to the training part's images, without labels."""

DEMO: dict[str, Any] = {}
"""As shipped: on the phantom there is nothing to adapt to."""

CHECK: dict[str, Any] = {"mirror": "none"}
"""As shipped, in one pass."""
