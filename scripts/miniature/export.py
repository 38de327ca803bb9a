"""From training results to the files that the package ships: safetensors in half precision, settings, logs."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock
from safetensors.torch import save_file
from torch import Tensor


def export(kind: str, weights: dict[str, Tensor], settings: dict[str, Any], work: Path, target: Path) -> None:
    """Write `<kind>.safetensors`, its part of `settings.json` and `<kind>_log.jsonl` into `target`.

    Numbers are stored in half precision and compute in single once loaded; counters stay whole.
    """
    path = target / f"{kind}.safetensors"
    halved = {
        name: (value.half() if value.is_floating_point() else value).contiguous() for name, value in weights.items()
    }
    save_file(halved, path)
    path.chmod(0o644)
    shutil.copyfile(work / f"{kind}_log.jsonl", target / f"{kind}_log.jsonl")
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    shared = target / "settings.json"
    with FileLock(work / "settings.lock"):
        every = json.loads(shared.read_text(encoding="utf-8")) if shared.exists() else {}
        every[kind] = {
            "file": path.name,
            "sha256": digest,
            "bytes": len(content),
            "torch": torch.__version__,
            **settings,
        }
        shared.write_text(json.dumps(dict(sorted(every.items())), indent=2) + "\n", encoding="utf-8")
