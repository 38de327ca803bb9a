"""Prompts for the miniature SAM: boxes (exact, or as rough as those of a CAM) and points."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .scenes import SIZE, Scenes

KINDS = {"box": 0.25, "box and five points": 0.4, "box, inner points and corners": 0.15, "points": 0.2}
TARGETS = {"shape": 0.76, "anatomy": 0.14, "half": 0.06, "brain": 0.04}


@dataclass(frozen=True)
class Prompts:
    """One prompt a scene: points (N, P, 2) in (x, y) pixels, labels (N, P), boxes (N, 4) or None, masks (N, S, S)."""

    points: Tensor | None
    labels: Tensor | None
    boxes: Tensor | None
    masks: Tensor


def draw_prompts(scenes: Scenes, rng: np.random.Generator) -> Prompts:
    """Draw one kind of prompt for all scenes and one target for each."""
    kind = str(rng.choice(list(KINDS), p=list(KINDS.values())))
    masks = [_choose(targets, rng) for targets in scenes.targets]
    boxes = [_rough(_box(mask), rng) for mask in masks]
    inner = int(rng.integers(1, 6)) if kind == "points" else 5
    points, labels = zip(*(_points(kind, mask, box, inner, rng) for mask, box in zip(masks, boxes, strict=True)),
                         strict=True)  # fmt: skip
    with_points, with_box = kind != "box", kind != "points"
    return Prompts(
        torch.from_numpy(np.stack(points)).float() if with_points else None,
        torch.from_numpy(np.stack(labels)) if with_points else None,
        torch.from_numpy(np.stack(boxes)).float() if with_box else None,
        torch.from_numpy(np.stack(masks)).float(),
    )


def _choose(targets: dict[str, list[NDArray[np.bool_]]], rng: np.random.Generator) -> NDArray[np.bool_]:
    """A mask of a random kind; an empty scene (no brain, no shape) yields a small square in the middle."""
    for name in (str(rng.choice(list(TARGETS), p=list(TARGETS.values()))), *TARGETS):
        if targets[name]:
            return targets[name][int(rng.integers(len(targets[name])))]
    square = np.zeros((SIZE, SIZE), dtype=bool)
    square[44:52, 44:52] = True
    return square


def _box(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Tight box (x0, y0, x1, y1), inclusive pixels."""
    rows, columns = np.nonzero(mask)
    return np.array([columns.min(), rows.min(), columns.max(), rows.max()], dtype=float)


def _rough(box: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Half of the boxes within a pixel; the others 0.7 to 1.5 times as wide and high and off centre."""
    if rng.random() < 0.5:
        moved = box + rng.integers(-1, 2, 4)
    else:
        centre, half = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) / 2
        centre = centre + rng.uniform(-0.3, 0.3, 2) * half
        half = half * rng.uniform(0.7, 1.5, 2)
        moved = np.round(np.concatenate([centre - half, centre + half]))
    moved = np.clip(moved, 0, SIZE - 1)
    moved[2:] = np.maximum(moved[2:], moved[:2] + 1)
    return moved


def _points(
    kind: str, mask: NDArray[np.bool_], box: NDArray[np.float64], inner: int, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    x0, y0, x1, y1 = box
    corners = np.array([[x0, y0], [x1, y0], [x0, y1], [x1, y1]])
    if kind == "box and five points":
        inside = np.array([[(x0 + x1) / 2, (y0 + y1) / 2]])
    else:
        rows, columns = np.nonzero(mask)
        chosen = rng.integers(len(rows), size=inner)
        inside = np.stack([columns[chosen], rows[chosen]], 1).astype(float)
    if kind == "points":
        return inside, np.ones(inner, dtype=np.int64)
    return np.concatenate([inside, corners]), np.array([1] * len(inside) + [0] * 4, dtype=np.int64)
