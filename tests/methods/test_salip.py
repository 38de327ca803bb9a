"""SaLIP as a whole, with a SAM and a CLIP that are easy to see through: what is proposed, chosen, outlined, read."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from scipy import ndimage
from unseg_bench_methods.salip import pipeline, search
from unseg_bench_methods.salip.method import Salip
from unseg_bench_methods.salip.options import SalipOptions, SearchOptions

from unseg_bench.blocks import overlap, weights
from unseg_bench.blocks.clip import scorer
from unseg_bench.blocks.prompts import bounding_box
from unseg_bench.blocks.references import digest_of_masks
from unseg_bench.blocks.resample import mask_to_shape
from unseg_bench.data.supervision import Supervision
from unseg_bench.errors import RunError
from unseg_bench.plugins.trial import TrialContext, TrialLabels, empty_volume, tiny_case, tiny_cohort

WEIGHTS = SimpleNamespace(name="fake", sha256="f" * 64)
TRAIN = [tiny_case(f"train-{number}", number) for number in range(2)]
VALID = [tiny_case(f"valid-{number}", 10 + number) for number in range(4)]
TEST = tiny_case("test", 9)
HEALTHY = tiny_case("healthy", 5, tumour=False)
SEARCHING = {"search": {"by": "labels", "points_per_side": (2, 4), "slices": 3}}


class FakeSam:
    """Outlines the bright pixels of a box. `encoded` and `boxes` are what it was asked."""

    def __init__(self, model: str, weights: str, **_: Any) -> None:
        self.encoded, self.boxes = [], []

    def encode(self, picture):
        self.encoded.append(picture)
        return picture

    def segment_many(self, embedding, prompts):
        masks = np.zeros((len(prompts), *embedding.shape), bool)
        for mask, prompt in zip(masks, prompts, strict=True):
            x0, y0, x1, y1 = prompt.box
            window = slice(y0, y1 + 1), slice(x0, x1 + 1)
            mask[window] = embedding[window] > 130
            self.boxes.append(prompt.box)
            assert not len(prompt.points)
        return masks, np.ones(len(prompts), np.float32)


class FakeClip:
    """A crop looks like a tumour as far as its mean grey is above 110."""

    logit_scale = 100.0

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def class_features(self, captions, *, equal_weights):
        assert [len(group) for group in captions] == [7, 7]
        assert not equal_weights
        return captions

    def cosines(self, crops, classes, *, batch_size):
        grey = np.array([crop[crop > 0].mean() if crop.any() else 0 for crop in crops], np.float32).reshape(-1)
        return np.stack([(grey - 110) / 255, (110 - grey) / 255], axis=1)


def propose_pieces(segmenter, picture, settings, *, embedding):
    """Connected pieces above two greys; nothing at all with two points a side."""
    assert embedding is picture
    if settings.points_per_side == 2:
        return []
    pieces = []
    for level in (60, 130):
        labels, count = ndimage.label(ndimage.binary_opening(picture > level, iterations=3))
        pieces += [labels == number for number in range(1, count + 1)]
    return [SimpleNamespace(mask=mask, box=bounding_box(mask)) for mask in pieces]


@pytest.fixture(autouse=True)
def _fakes(monkeypatch):
    monkeypatch.setattr(pipeline, "SamSegmenter", FakeSam)
    monkeypatch.setattr(pipeline, "ClipScorer", FakeClip)
    monkeypatch.setattr(pipeline, "everything", propose_pieces)
    monkeypatch.setattr(scorer, "clip_weights", lambda *_, **__: WEIGHTS)
    monkeypatch.setattr(weights, "resolve", lambda *_, **__: WEIGHTS)


def fitted(folder, seed=0, **options):
    method = Salip(SalipOptions.model_validate({"sam": {"scaling": "volume"}, **options}))
    parts = {"train": TRAIN, "valid": VALID, "test": [TEST, HEALTHY]}
    labels = TrialLabels(method.supervision, parts)
    context = TrialContext(folder, labels, tiny_cohort("healthy", []), seed=seed)
    if method.learns:
        method.fit(tiny_cohort("train", TRAIN), tiny_cohort("valid", VALID), context)
    return method, context


def dice(found, truth):
    return 2 * (found & truth).sum() / (found.sum() + truth.sum())


def test_the_bright_blob_is_found_inside_the_brain(tmp_path):
    method, context = fitted(tmp_path)
    mask = method.segment(TEST.volume, context)
    assert dice(mask, TEST.reference) > 0.75
    assert not (mask & ~TEST.volume.brain).any()


def test_each_slice_is_encoded_once_and_its_boxes_are_those_of_the_kept_proposals(tmp_path):
    method, context = fitted(tmp_path)
    _, results = method.run_slices(TEST.volume, context)
    sam = method._pipeline._sam
    assert len(sam.encoded) == len(results) == len({one.number for one in results})
    kept = [one.candidates[number].box for one in results for number in one.kept]
    assert sam.boxes == kept
    assert 0 < len(kept) < len(results)


def test_slices_with_little_brain_and_volumes_without_any_are_left_empty(tmp_path):
    method, context = fitted(tmp_path)
    area = TEST.volume.brain.sum((0, 1))
    _, results = method.run_slices(TEST.volume, context)
    assert [one.number for one in results] == np.flatnonzero(area > 0.15 * area.max()).tolist()
    assert not method.segment(empty_volume(), context).any()


def test_a_case_without_tumour_is_left_empty_and_the_log_says_where(tmp_path, monkeypatch):
    method, context = fitted(tmp_path)
    monkeypatch.setattr(FakeClip, "cosines", lambda _, crops, __, **___: np.tile([[0.2, 0.3]], (len(crops), 1)))
    noted = {}
    monkeypatch.setattr(context, "note", lambda event, values: noted.update({event: values}))
    assert not method.segment(HEALTHY.volume, context).any()
    assert noted["salip"]["case"] == "healthy"
    assert noted["salip"]["candidates"] > 0
    assert noted["salip"]["prompted_slices"] == noted["salip"]["voxels"] == 0


def test_slices_without_a_proposal_stay_empty_under_every_rule(tmp_path):
    for rule in ("top-k", "class-softmax", "k-sigma"):
        method, context = fitted(tmp_path, choice={"rule": rule}, everything={"points_per_side": 2})
        assert not method.segment(TEST.volume, context).any()


def test_the_largest_piece_alone(tmp_path):
    method, context = fitted(
        tmp_path, choice={"rule": "top-k"}, filters={"max_area": 9, "max_cover": 9}, component="largest"
    )
    mask = method.segment(TEST.volume, context)
    assert ndimage.label(mask, np.ones((3, 3, 3)))[1] == 1


def test_a_working_grid_and_back(tmp_path):
    method, context = fitted(tmp_path, spacing_mm=8.0)
    mask = method.segment(TEST.volume, context)
    assert mask.shape == TEST.volume.shape
    assert dice(mask, TEST.reference) > 0.5


def test_every_third_slice_answers_for_its_neighbours(tmp_path):
    every, context = fitted(tmp_path, pictures={"every": 3})
    mask = every.segment(TEST.volume, context)
    one_by_one, context = fitted(tmp_path)
    _, all_results = one_by_one.run_slices(TEST.volume, context)
    assert len(every._pipeline._sam.encoded) == len(all_results) // 3
    assert dice(mask, TEST.reference) > 0.6
    assert not (mask & ~TEST.volume.brain).any()


def test_pictures_of_the_steps_lie_on_the_working_grid(tmp_path):
    method, context = fitted(tmp_path, spacing_mm=6.0)
    mask = method.segment(TEST.volume, context)
    explanation = method.explain(TEST.volume, context)
    working, (proposed, heat, kept, answer) = explanation.volume, explanation.steps
    assert mask_to_shape(answer.mask, mask.shape)[TEST.volume.brain].tolist() == mask[TEST.volume.brain].tolist()
    assert heat.heat.shape == working.shape
    assert heat.heat[answer.mask].mean() > 0.5
    assert sum(map(len, proposed.boxes.values())) > sum(map(len, kept.boxes.values())) > 0
    rows, columns = working.shape[1], working.shape[0]
    for number, boxes in kept.boxes.items():
        for x0, y0, x1, y1 in boxes:
            assert -0.5 <= x0 <= x1 <= columns - 0.5
            assert -0.5 <= y0 <= y1 <= rows - 0.5
            inside = heat.heat[:, :, number].T[round(y0) : round(y1) + 1, round(x0) : round(x1) + 1]
            assert inside.max() > 0.5


def test_no_label_is_read_without_the_search(tmp_path):
    assert Salip(SalipOptions()).supervision is Supervision.NONE
    method, context = fitted(tmp_path)
    method.segment(TEST.volume, context)
    assert (context.labels.read, context.labels.refused) == ([], [])
    assert context.finished == []


def test_only_the_search_needs_a_training_part():
    assert not Salip(SalipOptions()).learns
    assert Salip(SalipOptions.model_validate(SEARCHING)).learns


def test_the_search_reads_the_tuning_cases_and_no_other(tmp_path):
    method, context = fitted(tmp_path, **SEARCHING)
    assert method.supervision is Supervision.VALIDATION_MASKS
    drawn = search.tuning_cases(tiny_cohort("valid", VALID), SearchOptions(), 0).case_ids
    assert len(drawn) == 2
    purpose = "(score settings of everything mode)"
    assert set(context.labels.read) == {f"mask of {case_id} {purpose}" for case_id in drawn}
    read = list(context.labels.read)
    method.segment(TEST.volume, context)
    assert context.labels.read == read
    assert context.labels.refused == []


def test_the_search_takes_what_finds_more_and_the_same_seed_draws_the_same(tmp_path):
    method, first = fitted(tmp_path / "a", **SEARCHING)
    assert method._found.points_per_side == 4
    again, second = fitted(tmp_path / "b", **SEARCHING)
    assert again._found == method._found
    assert len(first.finished) == len(second.finished) == 1
    draws = search.draw_settings(SearchOptions(), 3)
    assert draws == search.draw_settings(SearchOptions(), 3) != search.draw_settings(SearchOptions(), 4)
    assert len(draws) == 5
    assert all(draw["points_per_side"] in (16, 32, 64) for draw in draws)


def test_a_search_that_could_draw_too_few_points_is_refused():
    with pytest.raises(ValidationError, match="without a point"):
        SalipOptions.model_validate({"search": {"by": "labels", "points_per_side": (16, 1)}})


def test_another_reference_is_another_search(tmp_path):
    cohort = tiny_cohort("valid", VALID[:1])

    def digest(reference):
        context = SimpleNamespace(labels=SimpleNamespace(mask=lambda *_: reference))
        return digest_of_masks(cohort, context.labels, search.PURPOSE)

    reference = VALID[0].reference
    assert digest(reference) == digest(reference.copy()) != digest(~reference)


def test_tuning_slices_are_evenly_spaced_without_the_lowest():
    brain = np.ones((4, 4, 23), bool)
    assert search.tuning_slices(brain, SalipOptions()).tolist() == [4, 8, 12, 16, 20]
    assert search.tuning_slices(brain[:, :, :3], SalipOptions()).tolist() == [1, 2]


def test_dice_of_slices_by_hand():
    empty, full = np.zeros((4, 4), bool), np.ones((4, 4), bool)
    half = full.copy()
    half[:2] = False
    assert overlap.dice(empty, empty, empty=1.0) == 1
    assert overlap.dice(empty, full, empty=1.0) == 0
    assert overlap.dice(half, full, empty=1.0) == pytest.approx(2 / 3)


def test_a_search_without_validation_cases_says_what_to_do():
    with pytest.raises(RunError, match=r"search\.by=labels: there are no validation cases"):
        search.tuning_cases(tiny_cohort("valid", []), SearchOptions(), 0)
