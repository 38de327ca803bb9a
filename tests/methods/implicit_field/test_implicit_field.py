"""The method: thresholds without labels, masks inside the brain, label uses that are declared, groups of cases."""

import json

import numpy as np
import pytest
from pydantic import ValidationError
from unseg_bench_methods.implicit_field.maps import Mapper
from unseg_bench_methods.implicit_field.method import ImplicitField
from unseg_bench_methods.implicit_field.options import ImplicitFieldOptions, ScanOptions

from unseg_bench.blocks.normals import find_normals
from unseg_bench.data.supervision import Supervision
from unseg_bench.errors import RunError
from unseg_bench.plugins.conformance import check_method
from unseg_bench.plugins.presets import preset_options
from unseg_bench.plugins.trial import make_volume, tiny_cohort

TINY = {"training": {"steps": 10}, "fit": {"steps": (3, 2)}}


@pytest.mark.slow
def test_keeps_the_contract():
    assert [result for result in check_method(ImplicitField) if not result.passed] == []


def test_a_blob_in_a_normal_head_raises_the_map_there(fitted, unseen):
    method, context = fitted
    x, y, z = np.meshgrid(*(np.arange(n) for n in unseen.shape), indexing="ij")
    blob = ((x - 15) ** 2 + (y - 13) ** 2 + (z - 10) ** 2 < 10) & unseen.brain
    ill = make_volume("ill", np.where(blob, 4.0, unseen.image).astype(np.float32), unseen.brain.copy(), (6, 6, 6))
    mapper = Mapper(method._field, method.options.mapping, "cpu")
    before, after = mapper.map_of(unseen), mapper.map_of(ill)
    assert after[blob].mean() > 2 * before[blob].mean()
    away = unseen.brain & (x < 8)
    assert abs(after[away].mean() - before[away].mean()) < 0.3 * (after[blob].mean() - before[blob].mean())
    found, none = method.segment(ill, context), method.segment(unseen, context)
    assert (found & blob).sum() > 0.5 * blob.sum()
    assert none.sum() < found.sum()
    assert not (found & ~ill.brain).any()


def test_the_empty_mask_is_possible(fitted, unseen):
    method, context = fitted
    sure = ImplicitField(method.options)
    sure.__dict__.update(method.__dict__)
    sure._thresholds = type(method._thresholds)(method._thresholds.options, {"q0.98": 1e6}, "q0.98")
    assert not sure.segment(unseen, context).any()
    empty = make_volume("none", np.zeros((9, 9, 9), np.float32), np.zeros((9, 9, 9), bool))
    assert not method.segment(empty, context).any()
    assert method.explain(empty, context) is None


def test_labels_are_not_read_and_calibration_is_disjoint_from_training(fitted):
    method, context = fitted
    normals = find_normals(tiny_cohort("train", []), method.options.normals, context)
    assert (len(normals.train), len(normals.held_out)) == (6, 2)
    assert not set(normals.train.case_ids) & set(normals.held_out.case_ids)
    assert context.labels.read == context.labels.refused == []
    facts = json.loads(method._field.path("training.json").read_text())
    assert facts["scans"] == 6
    assert np.load(method._field.path("codes.npy")).shape == (6, 8)
    assert len(facts["centres"]) == 5


def test_thresholds_do_not_depend_on_the_cases_that_are_segmented(fit_small, fitted, make_head, tmp_path):
    first, _ = fit_small(tmp_path / "a", TINY, {"test": [make_head("t", 50, tumour=True)]})
    second, _ = fit_small(tmp_path / "b", TINY, {"test": [make_head("u", 51)]})
    assert first._thresholds.values == second._thresholds.values
    assert set(first._thresholds.values) == {"q0.95", "q0.98", "q0.99"}
    assert first._thresholds.values != fitted[0]._thresholds.values


def test_steps_of_the_explanation(fitted, make_head):
    method, context = fitted
    ill = make_head("ill", 60, tumour=True)
    explanation = method.explain(ill.volume, context)
    assert [step.title for step in explanation.steps] == [
        "intensity classes",
        "what the field expects",
        "cross-entropy",
        "smoothed",
        "mask",
    ]
    for step in explanation.steps[:-1]:
        assert step.heat.shape == ill.volume.shape
        assert 0 <= step.heat.min() <= step.heat.max() <= 1
        assert len(np.unique(step.heat)) > 3
    np.testing.assert_array_equal(explanation.steps[-1].mask, method.segment(ill.volume, context))


def test_cases_come_in_groups_whatever_the_order(fitted, make_head, monkeypatch):
    method, _ = fitted
    cases = [make_head(f"t{number}", 70 + number) for number in range(3)]
    cases.insert(
        1,
        type(cases[0])(
            make_volume("none", np.zeros((5, 5, 5), np.float32), np.zeros((5, 5, 5), bool)), cases[0].reference
        ),
    )
    sizes = []
    plain = Mapper._fit
    monkeypatch.setattr(Mapper, "_fit", lambda self, volumes: sizes.append(len(volumes)) or plain(self, volumes))
    mapper = Mapper(method._field, method.options.mapping, "cpu", tiny_cohort("test", cases))
    forward = [mapper.map_of(case.volume) for case in cases]
    assert sizes == [1, 2]
    backward = [mapper.map_of(case.volume) for case in reversed(cases)][::-1]
    assert sizes == [1, 2, 1]
    for one, other in zip(forward, backward, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)
    mapper.map_of(make_head("stranger", 80).volume)
    assert sizes[-1] == 1


def test_supervision_follows_the_options():
    def supervision(**options):
        return ImplicitField(ImplicitFieldOptions.model_validate(options)).supervision

    assert supervision() is Supervision.NONE
    assert supervision(thresholds={"rule": "best-dice"}) is Supervision.VALIDATION_MASKS
    assert supervision(normals={"source": "slice-labels"}) is Supervision.SLICE_LABELS
    published = ImplicitField(preset_options(ImplicitField, "reference-code"))
    assert published.supervision is Supervision.VALIDATION_MASKS
    assert not published.options.fit.cap
    assert preset_options(ImplicitField, "paper") == ImplicitFieldOptions()


def test_best_dice_reads_the_validation_masks_and_says_why(fit_small, make_head, tmp_path):
    options = {**TINY, "thresholds": {"rule": "best-dice"}}
    method, context = fit_small(tmp_path, options, {"valid": [make_head("v", 90, tumour=True)]})
    assert set(context.labels.read) == {"mask of v (choose the threshold)"}
    assert method._thresholds.chosen == "best-dice"


def test_slice_labels_restrict_what_is_learned_from(fit_small, make_head, tmp_path):
    options = {**TINY, "normals": {"source": "slice-labels"}}
    cases = [make_head(f"train-{number}", number, tumour=True) for number in range(3)]
    method, context = fit_small(tmp_path, options, {"train": cases})
    assert len(context.labels.read) == 3
    assert json.loads(method._field.path("training.json").read_text())["scans"] == 2


def test_published_classes_and_a_shared_background(fit_small, tmp_path):
    options = {**TINY, "scan": {"centres": "published", "background": "shared"}}
    method, _ = fit_small(tmp_path, options)
    assert json.loads(method._field.path("training.json").read_text())["centres"][0] == pytest.approx(0.0083)


def test_a_cube_too_coarse_for_any_normal_slice_is_an_error_with_a_remedy(fit_small, make_head, tmp_path):
    options = {**TINY, "scan": {"side": 4, "classes": 3}, "normals": {"source": "slice-labels"}}
    cases = [make_head(f"train-{number}", number, tumour=True) for number in range(3)]
    with pytest.raises(RunError, match=r"ask for fewer|scan\.side"):
        fit_small(tmp_path, options, {"train": cases})


def test_wrong_percentiles_are_refused():
    with pytest.raises(ValidationError, match="clip_percentiles"):
        ScanOptions(clip_percentiles=(98.0, 2.0))
