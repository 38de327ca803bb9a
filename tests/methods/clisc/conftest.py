"""CLISC in seconds: stand-ins for CLIP and SAM that look at brightness, and networks of a few channels."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from unseg_bench_methods.clisc import chain
from unseg_bench_methods.clisc.method import Clisc
from unseg_bench_methods.clisc.options import CliscOptions

from unseg_bench.blocks.clip import scorer
from unseg_bench.blocks.prompts import Prompt
from unseg_bench.blocks.sam import slices
from unseg_bench.data.supervision import Supervision
from unseg_bench.plugins.context import Artifact
from unseg_bench.plugins.trial import TinyCase, TrialContext, TrialLabels, tiny_case, tiny_cohort

SMALL: dict[str, Any] = {
    "classifier": {
        "network": "small-resnet",
        "weights": None,
        "width": 8,
        "image_size": 40,
        "scaling": "volume",
        "epochs": 6,
        "batch": 16,
        "learning_rate": 3e-3,
        "schedule": "one-cycle",
    },
    "region": {"opening": False},
    "amda": {"within": "region", "normal_masks": "cam-shaped", "unmasked_share": 0.5},
    "unet": {
        "channels": (4, 8),
        "norm": "instance",
        "dropout": 0.0,
        "foreground_prior": 0.05,
        "spacing_mm": 6.0,
        "patch": (20, 24, 20),
        "steps": 25,
        "loss": "dice-ce",
        "optimizer": "adam",
        "learning_rate": 0.02,
        "orientation": "as-is",
    },
    "inference": {"way": "whole", "component": "largest"},
}
WEIGHTS = SimpleNamespace(name="fake", sha256="f" * 64)


class FakeClip:
    """Calls a slice a tumour's when it has many bright pixels."""

    weights = WEIGHTS

    def __init__(self, model: str, pretrained: str, *, device: str = "cpu", offline: bool) -> None:
        assert offline

    def probabilities(self, pictures: np.ndarray, captions: list[list[str]]) -> np.ndarray:
        assert [len(group) for group in captions] == [1, 1]
        brain = (pictures > 0).sum(axis=(1, 2))
        tumour = ((pictures > 200).sum(axis=(1, 2)) > 0.06 * brain).astype(np.float32)
        return np.stack([1 - tumour, tumour], axis=1) * 0.8 + 0.1

    def probabilities_of_values(self, slices: np.ndarray, captions: list[list[str]]) -> np.ndarray:
        assert slices.dtype == np.float32
        assert slices.min() < 0
        greys = np.clip(slices / slices.max() * 255, 0, 255).astype(np.uint8)
        return self.probabilities(greys, captions)


class FakeSegmenter:
    """Takes the brighter pixels of the box; what it encodes is the picture itself."""

    sam = SimpleNamespace(device="cpu")

    def __init__(self) -> None:
        self.encoded = 0

    def encode_many(self, pictures: np.ndarray, *, batch_size: int) -> list[Any]:
        self.encoded += len(pictures)
        return [
            SimpleNamespace(features=torch.from_numpy(picture.astype(np.float32))[None, None]) for picture in pictures
        ]

    def embedding(self, features: torch.Tensor, original_size: tuple[int, int]) -> np.ndarray:
        assert tuple(features.shape[2:]) == original_size
        return features[0, 0].numpy()

    def segment_many(
        self, embedding: np.ndarray, prompts: Sequence[Prompt], *, choose: str = "single"
    ) -> tuple[np.ndarray, np.ndarray]:
        masks = np.zeros((len(prompts), *embedding.shape), dtype=bool)
        for mask, prompt in zip(masks, prompts, strict=True):
            corners = prompt.points[-4:]
            x0, y0, x1, y1 = prompt.box or (*corners.min(axis=0).astype(int), *corners.max(axis=0).astype(int))
            mask[y0 : y1 + 1, x0 : x1 + 1] = embedding[y0 : y1 + 1, x0 : x1 + 1] > 150
        return masks, np.ones(len(prompts))


class Recorder(TrialContext):
    """Keeps every result that was asked for, computed or not."""

    def __init__(self, *values: Any, **named: Any) -> None:
        super().__init__(*values, **named)
        self.asked: list[Artifact] = []

    def run(self, *values: Any, **named: Any) -> Artifact:
        self.asked.append(super().run(*values, **named))
        return self.asked[-1]


@dataclass
class Stage:
    """Makes runs of CLISC on tiny cases. `store` holds the stages, as the cache does; `segmenter` counts encodings."""

    store: Path
    segmenter: FakeSegmenter = field(default_factory=FakeSegmenter)
    cases: list[TinyCase] = field(default_factory=lambda: [tiny_case(f"case-{number}", number) for number in range(4)])
    held_out: list[TinyCase] = field(default_factory=lambda: [tiny_case("held-out", 8)])
    test: TinyCase = field(default_factory=lambda: tiny_case("test", 9, shape=(40, 23, 11), spacing_mm=(3.0, 5.0, 9.0)))

    def context(self, supervision: Supervision = Supervision.NONE, seed: int = 0) -> Recorder:
        labels = TrialLabels(supervision, {"train": self.cases, "valid": self.held_out, "test": [self.test]})
        return Recorder(self.store, labels, tiny_cohort("healthy", []), seed=seed)

    def options(self, **groups: Any) -> CliscOptions:
        values = {
            name: {**SMALL.get(name, {}), **groups.get(name, {})} if name in SMALL or isinstance(groups[name], dict)
            else groups[name]
            for name in {*SMALL, *groups}
        }  # fmt: skip
        return CliscOptions.model_validate(values)

    def fit(self, seed: int = 0, **groups: Any) -> tuple[Clisc, Recorder]:
        method = Clisc(self.options(**groups))
        run = self.context(method.supervision, seed)
        method.fit(tiny_cohort("train", self.cases), tiny_cohort("valid", self.held_out), run)
        return method, run

    def result(self, run: Recorder, name: str, nth: int = 0) -> Artifact:
        return [artifact for artifact in run.asked if artifact.stage == name][nth]

    def given(self, arrays: dict[str, np.ndarray]) -> Artifact:
        """A stage's result made by hand."""
        folder = self.store / f"given-{len(list(self.store.iterdir()))}"
        folder.mkdir()
        for name, array in arrays.items():
            np.save(folder / f"{name}.npy", array)
        return Artifact("given", folder, folder.name)


def _install(patch: pytest.MonkeyPatch, stage: Stage) -> None:
    patch.setattr(scorer, "ClipScorer", FakeClip)
    patch.setattr(scorer, "clip_weights", lambda model, tag, *, offline: WEIGHTS)
    patch.setattr(chain, "resolve", lambda name, *, offline: WEIGHTS)
    patch.setattr(slices, "resolve", lambda name, *, offline: WEIGHTS)
    patch.setattr(slices.LazySam, "get", lambda _: stage.segmenter)


@pytest.fixture
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """A stage with an empty store."""
    stage = Stage(tmp_path)
    _install(monkeypatch, stage)
    return stage


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stage, Clisc, Recorder]]:
    """A stage whose store has a whole run of the small options, that run's method and context."""
    stage = Stage(tmp_path_factory.mktemp("chain"))
    with pytest.MonkeyPatch.context() as patch:
        _install(patch, stage)
        method, run = stage.fit()
        yield stage, method, run


@pytest.fixture(scope="session")
def names() -> Callable[[TrialContext], list[str]]:
    """Returns the names of the stages that a context computed, in order, but for those that SAM's features are."""

    def found(run: TrialContext) -> list[str]:
        every = [name.rpartition("-")[0] for name in run.finished]
        return [name for name in every if name != "sam-embeddings"]

    return found


@pytest.fixture(scope="session")
def dice() -> Callable[[np.ndarray, np.ndarray], float]:
    """Returns the Dice of two masks."""
    return lambda one, other: 2 * (one & other).sum() / (one.sum() + other.sum())


@pytest.fixture
def fake_clip() -> type[FakeClip]:
    """The stand-in for CLIP, to be patched."""
    return FakeClip
