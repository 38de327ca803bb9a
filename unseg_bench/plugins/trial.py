"""A trial of a method: tiny volumes in memory, and a host that counts, records and can be interrupted."""

import hashlib
import json
from collections.abc import Generator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unseg_bench.data.cohort import Cohort
from unseg_bench.data.labels import MASK_PARTS, SLICE_LABEL_PARTS
from unseg_bench.data.splits import PARTS
from unseg_bench.data.supervision import Supervision
from unseg_bench.data.volume import Image, Mask, Volume
from unseg_bench.errors import DataError, LabelAccessError, RunError
from unseg_bench.plugins.confidence import checked_confidence
from unseg_bench.plugins.context import Context, Labels
from unseg_bench.plugins.history import History
from unseg_bench.plugins.host import Host, Unfinished
from unseg_bench.plugins.method import Method, MethodOptions
from unseg_bench.plugins.outputs import outside_segment
from unseg_bench.plugins.stage import Artifact, check_stage_name
from unseg_bench.plugins.stage_cache import Attempt, StageCache, take_newest

_BRIGHT = 1.5
"""Standard deviations above the brain's mean."""


class Interruption(BaseException):
    """The simulated kill: no method's `except Exception` stops it."""


@dataclass(frozen=True, slots=True)
class TinyCase:
    """A made-up case: an ellipsoid of smooth texture with dark ventricles, with a bright blob unless it is healthy."""

    volume: Volume
    reference: Mask


def tiny_case(
    case_id: str,
    seed: int,
    *,
    shape: tuple[int, int, int] = (31, 37, 29),
    spacing_mm: tuple[float, float, float] = (4.0, 4.0, 4.0),
    tumour: bool = True,
) -> TinyCase:
    """Make a case by `seed`; its arrays are read-only, as those of a real run are."""
    rng = np.random.default_rng(seed)
    x, y, z = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    brain = x**2 + y**2 + z**2 < 0.9
    waves = rng.normal(0, 5, (12, 3))
    texture = sum(np.cos(a * x + b * y + c * z + rng.uniform(0, 6)) for a, b, c in waves) / 12
    ventricles = ((np.abs(x) - 0.15) / 0.12) ** 2 + (y / 0.35) ** 2 + (z / 0.3) ** 2 < 1
    centre = rng.choice([-1, 1]) * 0.4, *rng.uniform(-0.3, 0.3, 2)
    distance = np.sqrt(sum((axis - c) ** 2 for axis, c in zip((x, y, z), centre, strict=True)))
    reference = (distance < rng.uniform(0.3, 0.4)) & brain & tumour
    raw = 3 + texture + 0.15 * rng.normal(size=shape) - 1.5 * ventricles + 3 * reference
    image = np.zeros(shape, np.float32)
    image[brain] = (raw[brain] - raw[brain].mean()) / raw[brain].std()
    return TinyCase(make_volume(case_id, image, brain, spacing_mm), reference)


def make_volume(
    case_id: str, image: NDArray[np.float32], brain: Mask, spacing_mm: tuple[float, float, float] = (4.0, 4.0, 4.0)
) -> Volume:
    """Wrap arrays as a Volume whose arrays are read-only and whose digest is that of their content."""
    image.flags.writeable = brain.flags.writeable = False
    return Volume(case_id, image, brain, spacing_mm, content_digest(image, brain))


def empty_volume() -> Volume:
    """Return a volume of zeros in which no brain was found."""
    return make_volume("no-brain", np.zeros((31, 37, 29), np.float32), np.zeros((31, 37, 29), np.bool_))


def content_digest(image: NDArray[np.float32], brain: Mask) -> str:
    """Return the SHA-256 of a volume's arrays."""
    return hashlib.sha256(image.tobytes() + brain.tobytes()).hexdigest()


def tiny_cohort(name: str, cases: Sequence[TinyCase]) -> Cohort:
    """Make a cohort of cases in memory; it gives their volumes, never their references."""
    volumes = {case.volume.case_id: case.volume for case in cases}
    return Cohort(name, [(case_id, volume.digest) for case_id, volume in volumes.items()], volumes.__getitem__)


class TrialLabels(Labels):
    """The references of tiny cases: grants what was declared, keeps what was read and what was refused, a line each."""

    def __init__(self, supervision: Supervision, parts: Mapping[str, Sequence[TinyCase]]) -> None:
        self.read: list[str] = []
        self.refused: list[str] = []
        self._supervision = supervision
        self._part_of = {case.volume.case_id: part for part in PARTS for case in parts.get(part, ())}
        self._references = {case.volume.case_id: case.reference for cases in parts.values() for case in cases}

    def mask(self, case_id: str, purpose: str) -> Mask:
        """Return a reference mask; raises LabelAccessError if it is not granted."""
        return self._open("mask", MASK_PARTS, case_id, purpose).copy()

    def slice_labels(self, case_id: str, purpose: str) -> NDArray[np.bool_]:
        """Return which axial slices have tumour; raises LabelAccessError if that is not granted."""
        return np.asarray(self._open("slice labels", SLICE_LABEL_PARTS, case_id, purpose).any(axis=(0, 1)))

    def _open(self, kind: str, granted: Mapping[Supervision, Sequence[str]], case_id: str, purpose: str) -> Mask:
        line = f"{kind} of {case_id} ({purpose})"
        if self._part_of.get(case_id, "other") not in granted[self._supervision]:
            self.refused.append(line)
            raise LabelAccessError(f"the method declares supervision '{self._supervision}' and asked for the {line}")
        self.read.append(line)
        return self._references[case_id]


class TrialHost(Host):
    """The host of a trial run: the real stage cache, in `folder`, and tiny cases. A second one goes on after the first.

    `finished` names the stages computed to the end, in order. `confidences`: what `segment` stated last, by case.
    `ticks` counts stage beginnings and progress reports;
    the host raises Interruption at tick number `interrupt_at`. `predictions`: case id -> what another method found.
    """

    def __init__(
        self, folder: Path, healthy: Cohort, seed: int, interrupt_at: int | None, predictions: Mapping[str, Mask]
    ) -> None:
        self.seed, self.device, self.offline = seed, "cpu", True
        self.finished: list[str] = []
        self.ticks = 0
        self._cache = StageCache(folder / "stages", folder / "partial")
        self._open: list[tuple[AbstractContextManager[Attempt], Attempt]] = []
        self._inside_fit = False
        self._case: str | None = None
        self.confidences: dict[str, tuple[float, dict[str, float]]] = {}
        self._healthy, self._predictions, self._interrupt_at = healthy, predictions, interrupt_at

    def predicted_mask(self, source: str, case_id: str) -> Mask:
        """Return what another method found, whatever the source is called; raises RunError inside a stage."""
        if self._open:
            raise RunError(f"{source}: masks of other runs are asked for outside of stages")
        if case_id not in self._predictions:
            raise DataError(f"{source}: has no mask of case {case_id}")
        return self._predictions[case_id].copy()

    def healthy(self) -> Cohort:
        """Return the healthy cases."""
        return self._healthy

    def stage(self, name: str, key: Mapping[str, Any], cases: int) -> Artifact | Unfinished:
        """Return a stage's result from the cache, else where to make it; raises PluginError for a name that is none."""
        check_stage_name(name)
        manager = self._cache.attempt(name, key, device=self.device, history=History)
        attempt = manager.__enter__()
        if attempt.kept is not None:
            manager.__exit__(None, None, None)
            return attempt.kept.artifact
        self._open.append((manager, attempt))
        self.progress(0, 1, name)
        return attempt.place

    def stage_done(self) -> Artifact:
        """Keep what the newest stage has made."""
        manager, attempt = take_newest(self._open)
        manager.__exit__(None, None, None)
        self.finished.append(attempt.result.artifact.folder.name)
        return attempt.result.artifact

    def stage_failed(self) -> None:
        """Let go of the newest stage."""
        manager, _ = take_newest(self._open)
        with suppress(RunError):
            manager.__exit__(RunError, RunError("the stage failed"), None)

    def close(self) -> None:
        """Let go of all stages that were not finished."""
        while self._open:
            self.stage_failed()

    def note(self, event: str, values: Mapping[str, Any]) -> None:
        """Check that the line could be written to a log; raises TypeError or ValueError otherwise."""
        json.dumps({"event": event, **values}, allow_nan=False)

    def keep_map(self, case_id: str, scores: Image) -> None:
        """Raise RunError inside `fit`."""
        self._refuse_inside_fit("keep_map")

    def alternative(self, case_id: str, name: str, mask: Mask) -> None:
        """Raise RunError inside `fit`."""
        self._refuse_inside_fit(f"alternative {name!r}")

    def confidence(self, case_id: str, value: float, parts: Mapping[str, float]) -> None:
        """Keep it; raises RunError inside `fit` and for another case, ValueError for a second one or what is none."""
        self._refuse_inside_fit("confidence")
        stated = checked_confidence(value, parts)
        if self._case is None:
            return
        if case_id != self._case:
            raise outside_segment("confidence")
        if case_id in self.confidences:
            raise ValueError(f"confidence: case {case_id} has one already; it is stated once")
        self.confidences[case_id] = stated

    @contextmanager
    def segmenting(self, case_id: str) -> Generator[None]:
        """Mark the time in which `segment` has this case; what it stated of it before is forgotten."""
        self.confidences.pop(case_id, None)
        self._case = case_id
        try:
            yield
        finally:
            self._case = None

    @contextmanager
    def fitting(self) -> Generator[None]:
        """Mark the time of `fit`, where nothing may be handed over."""
        self._inside_fit = True
        try:
            yield
        finally:
            self._inside_fit = False

    def progress(self, done: int, total: int, note: str) -> None:
        """Count, and raise Interruption when the time has come."""
        self.ticks += 1
        if self.ticks == self._interrupt_at:
            raise Interruption

    def _refuse_inside_fit(self, what: str) -> None:
        if self._inside_fit:
            raise outside_segment(what)


class TrialContext(Context):
    """A Context on a TrialHost, which see; `labels` keep what was read."""

    labels: TrialLabels

    def __init__(
        self,
        folder: Path,
        labels: TrialLabels,
        healthy: Cohort,
        *,
        seed: int,
        interrupt_at: int | None = None,
        predictions: Mapping[str, Mask] | None = None,
    ) -> None:
        self.host = TrialHost(folder, healthy, seed, interrupt_at, predictions or {})
        super().__init__(self.host)
        self.labels = labels

    @property
    def finished(self) -> list[str]:
        """The stages computed to the end, in order."""
        return self.host.finished


@dataclass
class TrialRun:
    """One pass of `fit` and `segment` and what it left: `error` is what stopped it, if anything did."""

    context: TrialContext
    fitted: Method
    predictions: dict[str, Mask] = field(default_factory=dict[str, Mask])
    confidences: dict[str, tuple[float, dict[str, float]]] = field(
        default_factory=dict[str, tuple[float, dict[str, float]]]
    )
    error: Exception | None = None

    def segment(self, volume: Volume) -> Mask:
        """Call `segment`; what it states of the case is in the host's `confidences` then."""
        with self.context.host.segmenting(volume.case_id):
            return self.fitted.segment(volume, self.context)


class Trial:
    """A method, its options, tiny cohorts and a folder for stages: tries fit and segment as often as is asked.

    Three training cases, one for validation, three healthy; of the two test cases one has an odd, anisotropic grid.
    """

    def __init__(self, method: type[Method], options: MethodOptions, folder: Path, seed: int = 7) -> None:
        self.method, self.options = method, options
        self._folder, self._seed = folder, seed
        odd = tiny_case("test-odd", 7, shape=(40, 23, 11), spacing_mm=(3.0, 5.0, 9.0))
        self._parts: dict[str, list[TinyCase]] = {
            "train": [tiny_case(f"train-{number}", number) for number in (1, 2, 3)],
            "valid": [tiny_case("valid-4", 4)],
            "healthy": [tiny_case(f"healthy-{number}", number, tumour=False) for number in (5, 8, 9)],
            "test": [tiny_case("test-6", 6), odd],
            "no brain": [TinyCase(empty_volume(), empty_volume().empty_mask())],
        }

    @property
    def test_volumes(self) -> list[Volume]:
        """The volumes that each trial run segments."""
        return [case.volume for case in self._parts["test"]]

    @property
    def changed(self) -> list[str]:
        """Cases whose arrays are no longer what they were."""
        volumes = [case.volume for cases in self._parts.values() for case in cases]
        return [volume.case_id for volume in volumes if content_digest(volume.image, volume.brain) != volume.digest]

    def run(self, store: str, interrupt_at: int | None = None) -> TrialRun:
        """Fit and segment with the stages in `store`; an interrupted trial run ends early, without an error."""
        fitted = self.method(self.options)
        context = TrialContext(
            self._folder / store,
            TrialLabels(fitted.supervision, self._parts),
            self._cohort("healthy"),
            seed=self._seed,
            interrupt_at=interrupt_at,
            predictions=self._bright,
        )
        run = TrialRun(context, fitted)
        try:
            with context.host.fitting():
                if fitted.learns:
                    fitted.fit(self._cohort("train"), self._cohort("valid"), context)
                fitted.expect(self._cohort("test"), context)
            for volume in self.test_volumes:
                run.predictions[volume.case_id] = run.segment(volume)
            run.confidences = dict(context.host.confidences)
        except Interruption:
            return run
        except Exception as error:  # noqa: BLE001 - a stranger's code may raise anything; the checks tell
            run.error = error
        finally:
            context.host.close()
        return run

    @property
    def _bright(self) -> dict[str, Mask]:
        """What stands for another method's predictions: of every case, what is bright."""
        volumes = [case.volume for cases in self._parts.values() for case in cases]
        return {volume.case_id: volume.brain & (volume.image > _BRIGHT) for volume in volumes}

    def _cohort(self, part: str) -> Cohort:
        return tiny_cohort(part, self._parts[part])
