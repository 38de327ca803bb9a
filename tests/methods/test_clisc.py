import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from unseg_bench_methods.clisc import pretrained, pseudo_labels, self_training, slice_labels
from unseg_bench_methods.clisc.amda import Amda, quantile_mask, random_rectangle, range_mask
from unseg_bench_methods.clisc.method import Clisc
from unseg_bench_methods.clisc.options import AmdaOptions, CliscOptions

from unseg_bench.data.supervision import Supervision
from unseg_bench.data.volume import Volume
from unseg_bench.errors import RunError
from unseg_bench.plugins.context import Artifact
from unseg_bench.plugins.presets import preset_options
from unseg_bench.plugins.rehearsal import RecordingLabels, RehearsalContext, tiny_case, tiny_cohort

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
CASES = [tiny_case(f"case-{number}", number) for number in range(4)]
TEST = tiny_case("test", 9, shape=(40, 23, 11), spacing_mm=(3.0, 5.0, 9.0))


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


class FakeSam:
    """Takes the brighter pixels of the box."""

    def __init__(self, model: str, weights: str, *, device: str, offline: bool) -> None:
        assert offline

    def encode_many(self, pictures: np.ndarray, *, batch_size: int) -> list[np.ndarray]:
        return list(pictures)

    def segment(
        self, embedding: np.ndarray, points: np.ndarray, labels: np.ndarray, box: np.ndarray
    ) -> tuple[np.ndarray, float]:
        x0, y0, x1, y1 = box
        mask = np.zeros(embedding.shape, dtype=bool)
        inside = embedding[y0 : y1 + 1, x0 : x1 + 1]
        mask[y0 : y1 + 1, x0 : x1 + 1] = inside > 150
        return mask, 1.0


def install_fakes(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(slice_labels, "ClipScorer", FakeClip)
    patch.setattr(pretrained, "clip_weights", lambda model, tag, *, offline: WEIGHTS)
    patch.setattr(pretrained, "resolve", lambda name, *, offline: WEIGHTS)
    patch.setattr(pseudo_labels, "SamSegmenter", FakeSam)


@pytest.fixture(autouse=True)
def _fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    install_fakes(monkeypatch)


Chain = tuple[Clisc, RehearsalContext, Path]


def context(store: Path, seed: int = 0) -> RehearsalContext:
    return RehearsalContext(store, RecordingLabels(Supervision.NONE, {}), tiny_cohort("healthy", []), seed=seed)


def fit(store: Path, seed: int = 0, **groups: dict[str, Any]) -> tuple[Clisc, RehearsalContext]:
    values = {name: {**SMALL.get(name, {}), **groups.get(name, {})} for name in {*SMALL, *groups}}
    method = Clisc(CliscOptions.model_validate(values))
    run = context(store, seed)
    method.fit(tiny_cohort("train", CASES), tiny_cohort("valid", []), run)
    return method, run


def stages(run: RehearsalContext) -> list[str]:
    return [name.rpartition("-")[0] for name in run.finished]


def result(run: RehearsalContext, store: Path, name: str, nth: int = 0) -> Artifact:
    folders = [folder for folder in run.finished if folder.rpartition("-")[0] == name]
    return Artifact(name, store / folders[nth], "")


def dice(one: np.ndarray, other: np.ndarray) -> float:
    return 2 * (one & other).sum() / (one.sum() + other.sum())


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    store = tmp_path_factory.mktemp("chain")
    with pytest.MonkeyPatch.context() as patch:
        install_fakes(patch)
        method, run = fit(store)
    return method, run, store


def test_the_five_stages_in_order(chain: Chain) -> None:
    _, run, _ = chain
    assert stages(run) == [
        "clip-labels",
        "classifier",
        "layer-cam",
        "cam-regions",
        "amda-classifier",
        "layer-cam",
        "cam-regions",
        "sam-masks",
        "unet",
        "unet-predictions",
        "sam-masks",
        "s3f",
        "unet-after-s3f",
    ]


def test_what_the_stages_find_is_the_tumour(chain: Chain) -> None:
    method, run, store = chain

    def mean_dice(name: str, nth: int) -> float:
        found = result(run, store, name, nth)
        return float(np.mean([dice(found.array(c.volume.case_id), c.reference) for c in CASES]))

    assert mean_dice("cam-regions", 0) > 0.2
    assert mean_dice("sam-masks", 0) > 0.5
    assert mean_dice("unet-predictions", 0) > 0.5
    mask = method.segment(TEST.volume, run)
    assert mask.dtype == np.bool_
    assert dice(mask, TEST.reference) > 0.4


def test_fitting_again_computes_nothing_and_gives_the_same(chain: Chain) -> None:
    method, run, store = chain
    again, second = fit(store)
    assert second.finished == []
    assert np.array_equal(again.segment(TEST.volume, second), method.segment(TEST.volume, run))


def test_another_beta_runs_only_what_comes_after(chain: Chain) -> None:
    _, _, store = chain
    _, second = fit(store, s3f={"beta": 60.0})
    assert stages(second) == ["s3f", "unet-after-s3f"]
    kept = self_training.kept_cases(result(second, store, "s3f"))
    assert 1 <= len(kept) <= 2


def test_seeds_share_what_clip_said(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    _, _, store = chain
    monkeypatch.setattr(RehearsalContext, "progress", stop_at("classifier"))
    with pytest.raises(StopIteration):
        fit(store, seed=1)


def stop_at(stage: str) -> Any:
    def progress(self: RehearsalContext, done: int, total: int, note: str = "") -> None:
        assert note != "clip-labels"
        if note == stage:
            raise StopIteration

    return progress


def test_an_empty_brain_has_no_tumour(chain: Chain) -> None:
    method, run, _ = chain
    shape = (31, 37, 29)
    empty = Volume("empty", np.zeros(shape, np.float32), np.zeros(shape, bool), (4.0, 4.0, 4.0), "00")
    assert not method.segment(empty, run).any()


@pytest.mark.parametrize(("tumour", "kind"), [(0.4, "normal"), (0.6, "tumour")])
def test_slices_that_clip_calls_alike_end_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tumour: float, kind: str
) -> None:
    alike = np.array([1 - tumour, tumour], np.float32)
    monkeypatch.setattr(FakeClip, "probabilities", lambda _self, shown, _: np.tile(alike, (len(shown), 1)))
    with pytest.raises(RunError, match=rf"stage 'clip-labels': CLIP called all \d+ slices {kind}"):
        fit(tmp_path)


def test_a_sam_that_finds_nothing_ends_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeSam, "segment", lambda _self, picture, *_: (np.zeros(picture.shape, bool), 0.0))
    with pytest.raises(RunError, match="stage 'sam-masks'"):
        run_on_masks(tmp_path, pseudo_labels.segment_regions, [case.reference for case in CASES])


def run_on_masks(store: Path, step: Any, masks: list[np.ndarray]) -> Artifact:
    options = CliscOptions.model_validate(SMALL)
    regions = artifact(store, {case.volume.case_id: mask for case, mask in zip(CASES, masks, strict=True)})
    stage_options = pseudo_labels.SamStageOptions(prompts=options.prompts, sam=options.sam)
    inputs = {"cohort": tiny_cohort("train", CASES), "regions": regions, "weights": "f"}
    return context(store).run(step, stage_options, extras={"offline": True}, **inputs)


def artifact(store: Path, arrays: dict[str, np.ndarray]) -> Artifact:
    folder = store / f"given-{len(list(store.iterdir()))}"
    folder.mkdir()
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    return Artifact("given", folder, folder.name)


def test_slices_without_a_region_stay_empty_and_masks_stay_in_the_brain(tmp_path: Path) -> None:
    halves = [case.reference.copy() for case in CASES]
    for half in halves:
        half[:, :, : half.shape[2] // 2] = False
    found = run_on_masks(tmp_path, pseudo_labels.segment_regions, halves)
    for case, half in zip(CASES, halves, strict=True):
        mask = found.array(case.volume.case_id)
        assert mask.any()
        assert not mask[:, :, ~half.any(axis=(0, 1))].any()
        assert not mask[~case.volume.brain].any()


def test_a_unet_that_predicts_nothing_ends_the_run(chain: Chain) -> None:
    _, _, store = chain
    with pytest.raises(RunError, match=r"stage 'unet-predictions': .* longer \(unet.steps"):
        fit(store, unet={"steps": 1, "foreground_prior": 1e-30, "learning_rate": 1e-6})


def test_s3f_keeps_the_best_and_never_what_sam_denies(tmp_path: Path) -> None:
    similarity = {"a": 0.9, "b": 0.1, "c": 0.5, "d": 0.7, "e": 0.6}
    assert self_training.above_percentile(similarity, 20.0) == ["a", "c", "d", "e"]
    assert self_training.above_percentile(similarity, 0.0) == list("abcde")
    assert self_training.above_percentile({"a": 0.0, "b": 0.2}, 0.0) == ["b"]
    masks = {case.volume.case_id: case.reference for case in CASES}
    predictions = artifact(tmp_path, masks)
    nothing = artifact(tmp_path, {name: np.zeros_like(mask) for name, mask in masks.items()})
    inputs = {"cohort": tiny_cohort("train", CASES), "predictions": predictions}
    run, options = context(tmp_path), CliscOptions().s3f
    with pytest.raises(RunError, match="stage 's3f': no case survives"):
        run.run(self_training.filter_by_similarity, options, prompted=nothing, **inputs)
    kept = run.run(self_training.filter_by_similarity, options, prompted=predictions, **inputs)
    assert self_training.kept_cases(kept) == [case.volume.case_id for case in CASES]


def test_quantile_hides_the_highest_share() -> None:
    cam = np.random.default_rng(0).random((30, 40)).astype(np.float32)
    within = np.zeros((30, 40), dtype=bool)
    within[5:25, 10:30] = True
    mask = quantile_mask(cam, within, 20.0)
    assert mask.sum() == pytest.approx(0.2 * within.sum(), abs=1)
    assert cam[mask].min() > cam[within & ~mask].max()
    assert not quantile_mask(cam, within, 0.0).any()
    assert not quantile_mask(np.zeros_like(cam), within, 20.0).any()


def test_range_hides_the_top_of_the_values_in_the_box() -> None:
    cam = np.zeros((20, 30), dtype=np.float32)
    cam[5:10, 8:20] = np.linspace(0, 1, 12)
    cam[15, 25] = 1.0
    mask = range_mask(cam, (np.arange(30) < 21) & (cam > 0), np.zeros((20, 30), np.uint8), 20.0)
    assert np.flatnonzero(mask.any(axis=0)).tolist() == [18, 19]
    assert mask.sum() == 5 * 2
    assert not mask[15, 25]
    picture = np.tile(np.arange(30, dtype=np.uint8), (20, 1))
    assert np.flatnonzero(range_mask(cam, np.zeros((20, 30), bool), picture, 20.0).all(axis=0)).tolist() == [
        *range(24, 30)
    ]


def test_rectangles_have_the_share_of_the_box_and_stay_in_it() -> None:
    brain = np.zeros((60, 80), dtype=bool)
    brain[10:50, 5:75] = True
    rng = np.random.default_rng(0)
    for _ in range(20):
        mask = random_rectangle(brain, 20.0, rng)
        assert not (mask & ~brain).any()
        assert mask.sum() == pytest.approx(0.2 * brain.sum(), rel=0.06)


@pytest.mark.parametrize("normal_masks", ["rectangles", "cam-shaped"])
def test_amda_blackens_the_cam_and_random_places(tmp_path: Path, normal_masks: str) -> None:
    case = CASES[0]
    volume, name = case.volume, case.volume.case_id
    slices = np.arange(6, 22)
    tumour = case.reference.any(axis=(0, 1))[slices]
    assert 0 < tumour.sum() < len(slices)
    cam = artifact(tmp_path, {name: case.reference.astype(np.float16)})
    region = artifact(tmp_path, {name: case.reference})
    amda = Amda(AmdaOptions(within="region", alpha=50.0, normal_masks=normal_masks), cam, region, seed=0)
    pictures = np.full((len(slices), 37, 31), 100, dtype=np.uint8)
    masked = amda(volume, slices, tumour, pictures)
    holes = masked == 0
    assert holes.any(axis=(1, 2)).all()
    assert set(np.unique(masked)) == {0, 100}
    reference = case.reference.transpose(2, 1, 0)[slices]
    assert np.array_equal(holes[tumour], reference[tumour])
    assert not holes[~volume.brain.transpose(2, 1, 0)[slices]].any()
    if normal_masks == "cam-shaped":
        shapes = {hole.tobytes() for hole in reference[tumour]}
        inside = volume.brain.transpose(2, 1, 0)[slices][~tumour]
        assert any((np.frombuffer(s, bool).reshape(37, 31) & inside[0] == holes[~tumour][0]).all() for s in shapes)


def test_presets_are_options_and_paper_is_the_default() -> None:
    paper = preset_options(Clisc, "paper")
    assert paper == CliscOptions()
    assert isinstance(paper, CliscOptions)
    assert (paper.clip.model, paper.clip.pretrained, paper.sam.model) == ("ViT-B-32", "openai", "vit_b")
    chosen = paper.classifier
    assert (chosen.network, chosen.learning_rate, chosen.batch, chosen.epochs) == ("resnet50", 1e-4, 8, 200)
    assert (paper.amda.alpha, paper.s3f.beta, paper.unet.channels) == (20.0, 20.0, (16, 32, 64, 128, 256))
    assert (paper.unet.patch, paper.unet.learning_rate, paper.unet.batch, paper.unet.epochs) == (
        (128,) * 3,
        0.01,
        2,
        400,
    )
    for name in Clisc.presets:
        options = preset_options(Clisc, name)
        assert CliscOptions.model_validate_json(options.model_dump_json()) == options
    with pytest.raises(ValidationError):
        CliscOptions.model_validate({"amda": {"aplha": 10}})


def test_registering_does_not_load_torch() -> None:
    code = "import sys, unseg_bench_methods.clisc; print([m for m in ('torch', 'monai', 'scipy') if m in sys.modules])"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "[]"
