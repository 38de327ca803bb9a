"""From two trained halves to the files that the package ships."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn
from unseg_bench_methods.synthetic.pair import HALVES, save_pair

from unseg_bench.blocks.weights import sha256_of

FILE = "synthetic.safetensors"


def export(
    networks: Sequence[nn.Module], losses: Sequence[Sequence[float]], settings: Mapping[str, Any], target: Path
) -> None:
    """Write both networks in half precision, `settings.json` with their digest, and the loss of every tenth step."""
    path = target / FILE
    save_pair(path, networks)
    path.chmod(0o644)
    facts = {"file": FILE, "sha256": sha256_of(path), "bytes": path.stat().st_size, "torch": torch.__version__}
    text = json.dumps({**facts, **settings}, indent=2)
    (target / "settings.json").write_text(f"{text}\n", encoding="utf-8")
    lines = [
        json.dumps({"half": half, "step": step, "loss": round(sum(own[step - 10 : step]) / 10, 4)})
        for half, own in zip(HALVES, losses, strict=True)
        for step in range(10, len(own) + 1, 10)
    ]
    (target / "log.jsonl").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
