"""sam-prompts: which slices are asked about, what is read of labels, and SAM's own answer."""

from typing import get_args

import numpy as np
import pytest
from segment_anything import SamPredictor
from unseg_bench_methods.sam_prompts.case_prompts import prompt_case, region_slices
from unseg_bench_methods.sam_prompts.method import SamPrompts
from unseg_bench_methods.sam_prompts.options import SamPromptsOptions
from unseg_bench_methods.sam_prompts.protocols import Protocol

from unseg_bench.blocks.prompts import bounding_box
from unseg_bench.blocks.sam.segmenter import SamSegmenter
from unseg_bench.blocks.sam.slices import BLOCK
from unseg_bench.blocks.slices import eight_bit
from unseg_bench.data.supervision import Supervision
from unseg_bench.plugins.conformance import check_method
from unseg_bench.plugins.presets import preset_options
from unseg_bench.plugins.trial import TrialContext, TrialLabels, empty_volume, tiny_case, tiny_cohort

MINIATURE = {"model": "miniature", "weights": "miniature-sam"}
CASE = tiny_case("ill", 6)
HEALTHY = tiny_case("well", 5, tumour=False)
PROTOCOLS = get_args(Protocol)


def make(folder, seed=0, predictions=None, **options):
    method = SamPrompts(SamPromptsOptions.model_validate({"sam": MINIATURE, **options}))
    labels = TrialLabels(method.supervision, {"test": [CASE, HEALTHY]})
    healthy = tiny_cohort("healthy", [])
    return method, TrialContext(folder, labels, healthy, seed=seed, predictions=predictions)


def answer(folder, case=CASE, **options):
    method, context = make(folder, **options)
    return method.segment(case.volume, context)


def slices_of(mask):
    return set(np.flatnonzero(mask.any(axis=(0, 1))).tolist())


def test_keeps_the_contract():
    assert [result for result in check_method(SamPrompts) if not result.passed] == []


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_slices_without_tumour_are_never_asked_about(tmp_path, protocol):
    prompts = prompt_case(CASE.volume, CASE.reference, protocol, "tumour", 0)
    assert prompts
    assert set(prompts) <= slices_of(CASE.reference)
    mask = answer(tmp_path, protocol=protocol)
    assert mask.any()
    assert slices_of(mask) <= set(prompts)
    assert not (mask & ~CASE.volume.brain).any()


@pytest.mark.parametrize(
    ("slices", "case", "read"),
    [
        ("tumour", CASE, ["slice labels of ill (slice choice)", "mask of ill (prompts)"]),
        ("tumour", HEALTHY, ["slice labels of well (slice choice)"]),
        ("all", CASE, ["mask of ill (prompts)"]),
        ("all", HEALTHY, ["mask of well (prompts)"]),
    ],
)
def test_each_purpose_is_in_the_ledger_once_a_case(tmp_path, slices, case, read):
    method, context = make(tmp_path, slices=slices)
    assert method.supervision is Supervision.PROMPTS_FROM_MASKS
    mask = method.segment(case.volume, context)
    assert context.labels.read == read
    assert mask.any() == case.reference.any()


def test_a_case_without_brain_is_empty_and_nothing_is_read(tmp_path):
    method, context = make(tmp_path)
    assert not method.segment(empty_volume(), context).any()
    assert context.labels.read == []


def test_all_slices_take_the_prompts_of_the_nearest_tumour_slice():
    source = np.zeros_like(CASE.volume.brain)
    source[10:20, 10:20, [8, 12, 13]] = True
    brain = slices_of(CASE.volume.brain)
    chosen = region_slices(CASE.volume, source, "all")
    assert set(chosen) == brain
    assert (min(brain), max(brain)) == (1, 27)
    assert {index: chosen[index] for index in (1, 8, 9, 10, 11, 12, 13, 27)} == {
        1: 8, 8: 8, 9: 8, 10: 8, 11: 12, 12: 12, 13: 13, 27: 13,
    }  # fmt: skip
    assert region_slices(CASE.volume, source, "tumour") == {8: 8, 12: 12, 13: 13}
    assert region_slices(CASE.volume, np.zeros_like(source), "all") == {}


def test_all_slices_can_be_wrong_where_chosen_ones_cannot(tmp_path):
    outside = slices_of(CASE.volume.brain) - slices_of(CASE.reference)
    assert not slices_of(answer(tmp_path, protocol="G1")) & outside
    assert slices_of(answer(tmp_path, protocol="G1", slices="all")) & outside


def boxes(volume=CASE.volume, seed=0):
    source = np.zeros_like(volume.brain)
    source[10:20, 10:20, 8:20] = True
    prompts = prompt_case(volume, source, "G3", "tumour", seed)
    return [asked[0].box for asked in prompts.values()]


def test_shifts_depend_on_seed_case_and_slice_and_on_nothing_else():
    other = tiny_case("other", 6).volume
    assert boxes() == boxes()
    assert len(set(boxes())) > 6
    assert boxes() != boxes(seed=1)
    # Ten millimetres are at most two of these 4 mm pixels.
    assert np.abs(np.array([boxes(seed=seed) for seed in range(20)]) - [10, 10, 19, 19]).max() == 2
    assert boxes() != boxes(other)


def test_points_change_what_the_box_alone_gives(tmp_path):
    assert not np.array_equal(answer(tmp_path, protocol="paper"), answer(tmp_path, protocol="G1"))
    assert not np.array_equal(answer(tmp_path, protocol="G5"), answer(tmp_path, protocol="G1"))


def by_predictor(predictor, prompt, multimask):
    masks, quality, _ = predictor.predict(
        point_coords=prompt.points if len(prompt.points) else None,
        point_labels=prompt.labels if len(prompt.points) else None,
        box=None if prompt.box is None else np.array(prompt.box),
        multimask_output=multimask,
    )
    return masks[quality.argmax()]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_equals_the_packages_own_predictor(tmp_path, protocol):
    mask = answer(tmp_path, protocol=protocol)
    predictor = SamPredictor(SamSegmenter("miniature", offline=True).sam)
    prompts = prompt_case(CASE.volume, CASE.reference, protocol, "tumour", 0)
    expected = np.zeros_like(mask)
    for index, asked in prompts.items():
        [picture] = eight_bit(CASE.volume, np.array([index]))
        predictor.set_image(np.repeat(picture[:, :, None], 3, axis=2))
        for prompt in asked:
            expected[:, :, index] |= by_predictor(predictor, prompt, protocol == "G4").T
    expected &= CASE.volume.brain
    assert (mask != expected).sum() <= 2  # features are rounded to half precision


def test_two_pieces_are_asked_about_one_by_one_and_joined(tmp_path):
    source = np.zeros_like(CASE.volume.brain)
    source[8:12, 8:12, 14] = source[18:23, 20:26, 14] = True
    for protocol, prompts in {"G1": 1, "G2": 2, "G4": 2}.items():
        assert len(prompt_case(CASE.volume, source, protocol, "tumour", 0)[14]) == prompts
    left = (np.arange(31) < 15)[:, None, None]
    found = []
    for pieces in (source, source & left, source & ~left):
        method, context = make(tmp_path, protocol="G2", prompts_from="run", predictions={"ill": pieces})
        found.append(method.segment(CASE.volume, context))
    np.testing.assert_array_equal(found[0], found[1] | found[2])
    assert found[1].any()
    assert found[2].any()


def test_prompts_from_another_run_read_no_label(tmp_path):
    method, context = make(tmp_path, prompts_from="run", predictions={"ill": CASE.reference})
    assert method.supervision is Supervision.NONE
    np.testing.assert_array_equal(method.segment(CASE.volume, context), answer(tmp_path))
    assert context.labels.read == context.labels.refused == []
    method, context = make(tmp_path, prompts_from="run", predictions={"ill": np.zeros_like(CASE.reference)})
    assert not method.segment(CASE.volume, context).any()


def test_a_working_grid_is_left_again(tmp_path):
    mask = answer(tmp_path, spacing_mm=8.0)
    assert mask.shape == CASE.volume.shape
    assert 2 * (mask & CASE.reference).sum() / (mask.sum() + CASE.reference.sum()) > 0.3


def test_a_coarser_mask_does_not_leave_the_brain(tmp_path):
    method, context = make(tmp_path, spacing_mm=8.0, prompts_from="run", predictions={"ill": CASE.volume.brain})
    mask = method.segment(CASE.volume, context)
    assert mask.sum() > CASE.volume.brain.sum() / 2
    assert not (mask & ~CASE.volume.brain).any()


def test_slices_are_encoded_once_whatever_is_asked_about_them(tmp_path):
    blocks = len({z // BLOCK for z in slices_of(CASE.reference)})
    for seed, (protocol, stages) in enumerate({"G1": blocks, "G3": 0, "G5": 0}.items()):
        method, context = make(tmp_path, seed=seed, protocol=protocol)
        kept = method.segment(CASE.volume, context)
        assert len(context.finished) == stages
        method, context = make(tmp_path, seed=seed, protocol=protocol, sam={**MINIATURE, "keep_embeddings": False})
        np.testing.assert_array_equal(method.segment(CASE.volume, context), kept)
        assert context.finished == []
    method, context = make(tmp_path, slices="all")
    method.segment(CASE.volume, context)
    every = {z // BLOCK for z in np.flatnonzero(CASE.volume.brain.any(axis=(0, 1)))}
    assert len(context.finished) == len(every) - blocks > 0


def test_explanation_shows_mask_prompts_and_answer(tmp_path):
    method, context = make(tmp_path, protocol="G5")
    explanation = method.explain(CASE.volume, context)
    source, prompts, sam = explanation.steps
    np.testing.assert_array_equal(source.mask, CASE.reference)
    np.testing.assert_array_equal(sam.mask, method.segment(CASE.volume, context))
    assert set(prompts.boxes) == set(prompts.points) == slices_of(CASE.reference)
    rows_columns = CASE.reference[:, :, 14].T
    assert prompts.boxes[14] == [bounding_box(rows_columns)]
    assert [foreground for _, _, foreground in prompts.points[14]] == [True] * 3 + [False] * 4
    assert all(rows_columns[int(y), int(x)] for x, y, foreground in prompts.points[14] if foreground)


def test_presets_and_studies():
    paper = preset_options(SamPrompts, "paper")
    assert paper == SamPromptsOptions()
    assert (paper.protocol, paper.slices, paper.spacing_mm, paper.sam.model) == ("paper", "tumour", None, "vit_b")
    assert set(SamPrompts.studies["protocols"].rows) == set(PROTOCOLS)
    for study in SamPrompts.studies.values():
        options = [SamPromptsOptions.model_validate(row) for row in study.rows.values()]
        assert len({option.model_dump_json() for option in options}) == len(options)
