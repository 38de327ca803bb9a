"""Writes a method file that runs a built-in method and notes, inside its sealed process, what its networks are given.

The note `watched` of the run's log says of each network that was called by itself: its parameters, and the shapes of
its inputs; of CLIP and SAM their parameters; of SAM's prompts the points and boxes in the frame of its input; and how
many CPU seconds the process has used.
"""

import json
from pathlib import Path
from typing import Any

from unseg_bench import Method

_FILE = '''
"""{method}, and a note of what its networks were given."""

import time

import torch
from torch.nn.modules import module as calls

from {module} import {name}

found = {{"networks": {{}}, "models": {{}}, "points": [], "labels": [], "boxes": []}}
inside = []


def size(module):
    return sum(parameter.numel() for parameter in module.parameters())


def enter(module, inputs):
    if not inside:
        seen = found["networks"].setdefault(type(module).__name__, {{"parameters": 0, "inputs": []}})
        seen["parameters"] = max(seen["parameters"], size(module))
        shapes = [list(one.shape) for one in inputs if isinstance(one, torch.Tensor)]
        if shapes not in seen["inputs"]:
            seen["inputs"].append(shapes)
    inside.append(module)


def leave(module, inputs, output):
    inside.pop()


calls.register_module_forward_pre_hook(enter)
calls.register_module_forward_hook(leave)


def watch_clip():
    from unseg_bench.blocks.clip.scorer import ClipScorer

    build = ClipScorer.__init__

    def built(self, *given, **named):
        build(self, *given, **named)
        found["models"]["clip"] = size(self.model)

    ClipScorer.__init__ = built


def watch_sam():
    from unseg_bench.blocks.sam.decoder import FastDecoder

    build, ask = FastDecoder.__init__, FastDecoder.ask

    def built(self, sam):
        build(self, sam)
        found["models"]["sam"] = size(sam)

    def asked(self, features, points, boxes):
        if points is not None:
            found["points"] += points[0].tolist()
            found["labels"] += points[1].tolist()
        if boxes is not None:
            found["boxes"] += boxes.tolist()
        return ask(self, features, points, boxes)

    FastDecoder.__init__, FastDecoder.ask = built, asked


watch_clip()
watch_sam()


class Watched({name}):
    """The method itself."""

    name = "watched-{method}"

    def segment(self, volume, context):
        mask = super().segment(volume, context)
        context.note("watched", {{**found, "cpu_seconds": time.process_time()}})
        return mask
'''


def write_watched(folder: Path, method: type[Method]) -> Path:
    """Write the file of a method; return its path."""
    path = folder / f"watched_{method.name.replace('-', '_')}.py"
    text = _FILE.format(method=method.name, module=method.__module__, name=method.__name__)
    path.write_text(text, encoding="utf-8")
    return path


def read_watched(log: Path) -> dict[str, Any]:
    """Return the last note of a run's log, which holds all before it."""
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    return next(line for line in reversed(lines) if line["event"] == "watched")
