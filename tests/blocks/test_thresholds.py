"""Thresholds of anomaly maps: found without labels or by them, and what they make of a case."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy import ndimage

from unseg_bench.blocks.otsu import otsu
from unseg_bench.blocks.references import reference_masks
from unseg_bench.blocks.thresholds import (
    ThresholdOptions,
    Thresholds,
    best_dice,
    collect_best_dice,
    collect_normal_values,
    find_thresholds,
)
from unseg_bench.data.cohort import Cohort
from unseg_bench.data.supervision import Supervision
from unseg_bench.data.volume import Image, Mask, Volume
from unseg_bench.errors import RunError
from unseg_bench.plugins.context import Artifact, Work, stage
from unseg_bench.plugins.trial import (
    TinyCase,
    TrialContext,
    TrialLabels,
    empty_volume,
    make_volume,
    tiny_case,
    tiny_cohort,
)

NORMALS = [tiny_case(f"well-{number}", number, tumour=False) for number in range(3)]
VALID = [tiny_case(f"valid-{number}", 10 + number) for number in range(3)]
CASE = tiny_case("test", 20)


def map_of(volume: Volume) -> Image:
    """The image itself; 9 outside the brain, where nothing may ever be found."""
    return np.where(volume.brain, volume.image, np.float32(9.0))


@stage("values", seeded=False)
def collect_values(work: Work, *, cohort: Cohort) -> None:
    collect_normal_values(work, cohort, map_of, lambda volume: volume.brain & (np.arange(volume.shape[2]) % 2 == 0))


@stage("best", seeded=False)
def collect_best(work: Work, *, cohort: Cohort, masks: Artifact) -> None:
    collect_best_dice(work, cohort, map_of, masks.array)


class Recorder(TrialContext):
    """Keeps tables, maps and alternatives."""

    def __init__(self, *values: Any, **named: Any) -> None:
        super().__init__(*values, **named)
        self.tables: dict[str, Any] = {}
        self.maps: list[Image] = []
        self.others: dict[str, Mask] = {}

    def table(self, name: str, rows: Any) -> None:
        super().table(name, rows)
        self.tables[name] = rows

    def keep_map(self, volume: Volume, scores: Image) -> None:
        super().keep_map(volume, scores)
        self.maps.append(scores)

    def alternative(self, volume: Volume, name: str, mask: Mask) -> None:
        super().alternative(volume, name, mask)
        assert name not in self.others
        self.others[name] = mask


@pytest.fixture
def context(tmp_path: Path):
    def make(supervision: Supervision = Supervision.NONE) -> Recorder:
        labels = TrialLabels(supervision, {"train": [], "valid": VALID, "test": [CASE]})
        return Recorder(tmp_path, labels, tiny_cohort("healthy", []), seed=0)

    return make


def thresholds(run: Recorder, normals: list[TinyCase] = NORMALS, **options: Any) -> Thresholds:
    chosen = ThresholdOptions.model_validate(options)
    values = run.run(collect_values, cohort=tiny_cohort("normals", normals))
    if not chosen.reads_masks:
        return find_thresholds(chosen, run, values)
    cohort = tiny_cohort("valid", VALID)
    best = run.run(collect_best, cohort=cohort, masks=reference_masks(cohort, run, "choose a threshold"))
    return find_thresholds(chosen, run, values, best)


def normal_values() -> np.ndarray:
    return np.concatenate([case.volume.image[:, :, ::2][case.volume.brain[:, :, ::2]] for case in NORMALS])


def test_quantiles_are_numpy_s_over_the_places_of_all_normals(context) -> None:
    run = context()
    found = thresholds(run, quantile=0.9, also=(0.5, 0.99, 0.9))
    expected = {f"q{q}": np.quantile(normal_values().astype(np.float64), q) for q in (0.5, 0.9, 0.99)}
    assert found.values == pytest.approx(expected)
    assert (list(found.values), found.chosen) == (["q0.5", "q0.9", "q0.99"], "q0.9")
    rows = run.tables["thresholds"]
    assert [(row["name"], row["chosen"], row["labels"]) for row in rows] == [
        ("q0.5", False, False),
        ("q0.9", True, False),
        ("q0.99", False, False),
    ]
    for row, share in zip(rows, (0.5, 0.1, 0.01), strict=True):
        assert row["normal_share"] == pytest.approx(share, abs=0.001)
    assert run.labels.read == run.labels.refused == []


@given(st.sets(st.floats(1e-9, 1 - 1e-9), min_size=1, max_size=5))
def test_each_quantile_has_a_name_of_its_own(quantiles) -> None:
    names = {f"q{quantile}" for quantile in ThresholdOptions(also=tuple(quantiles)).quantiles}
    assert len(names) == len({0.98, *quantiles})
    assert all(set(name) <= set("q0123456789.e-") for name in names)


def test_the_answer_is_above_the_chosen_one_and_the_others_are_handed_over(context) -> None:
    run = context()
    found = thresholds(run, also=(0.3, 0.95))
    scores = map_of(CASE.volume)
    mask = found.apply(CASE.volume, scores, run)
    assert found.chosen == "q0.98"
    assert np.array_equal(mask, CASE.volume.brain & (scores > found.values["q0.98"]))
    assert mask.dtype == np.bool_
    assert {name: other.sum() for name, other in run.others.items()} == {
        name: (CASE.volume.brain & (scores > found.values[name])).sum() for name in ("q0.3", "q0.95")
    }
    assert 0 < mask.sum() <= run.others["q0.95"].sum() < run.others["q0.3"].sum()
    assert run.maps == [scores]


def test_otsu_is_of_the_case_s_own_map_inside_the_brain(context) -> None:
    run = context()
    found = thresholds(run, rule="otsu")
    scores = map_of(CASE.volume)
    mask = found.apply(CASE.volume, scores, run)
    level = otsu(scores[CASE.volume.brain])
    assert level < 9.0
    assert np.array_equal(mask, CASE.volume.brain & (scores > level))
    assert sorted(run.others) == ["q0.95", "q0.98", "q0.99"]
    last = run.tables["thresholds"][-1]
    assert (last["name"], last["chosen"], last["value"]) == ("otsu", True, None)


@pytest.mark.parametrize("rule", ["quantile", "otsu", "best-dice"])
@pytest.mark.parametrize("component", ["all", "largest"])
def test_nothing_outside_the_brain_is_ever_tumour(context, rule: str, component: str) -> None:
    run = context(Supervision.VALIDATION_MASKS)
    found = thresholds(run, rule=rule, component=component)
    mask = found.apply(CASE.volume, map_of(CASE.volume), run)
    assert mask.any()
    for one in (mask, *run.others.values()):
        assert not one[~CASE.volume.brain].any()
        assert component == "all" or ndimage.label(one, np.ones((3, 3, 3)))[1] == 1


@pytest.mark.parametrize("rule", ["quantile", "otsu", "best-dice"])
def test_an_empty_mask_is_possible(context, rule: str) -> None:
    run = context(Supervision.VALIDATION_MASKS)
    found = thresholds(run, rule=rule, component="largest")
    flat = make_volume("flat", np.zeros((6, 6, 6), np.float32), np.ones((6, 6, 6), np.bool_))
    scores = flat.image - 100
    assert rule == "otsu" or not found.apply(flat, scores, run).any()
    nobody = empty_volume()
    assert not found.apply(nobody, map_of(nobody), context()).any()


def test_thresholds_stay_when_test_cases_change(context) -> None:
    run = context()
    found = thresholds(run)
    before, table = dict(found.values), run.tables["thresholds"]
    bright = make_volume("bright", CASE.volume.image * 50, CASE.volume.brain.copy())
    for volume in (bright, CASE.volume):
        assert found.apply(volume, map_of(volume), context()).any()
    assert found.values == before
    run = context()
    assert thresholds(run).values == before
    assert run.tables["thresholds"] == table
    assert run.finished == [], "taken from the same stage"


@given(st.data())
def test_best_dice_is_that_of_all_thresholds(data) -> None:
    size = data.draw(st.integers(1, 14))
    scores = np.array(data.draw(st.lists(st.integers(-3, 3), min_size=size, max_size=size)), np.float32) / 7
    labels = np.array(data.draw(st.lists(st.booleans(), min_size=size, max_size=size)))
    missed = data.draw(st.integers(0, 3))
    labels[data.draw(st.integers(0, size - 1))] = True

    def dice(threshold: float) -> float:
        above = scores > np.float32(threshold)
        return 2 * (above & labels).sum() / (above.sum() + labels.sum() + missed)

    threshold, best = best_dice(scores, labels, missed)
    assert best == pytest.approx(max(dice(level) for level in (-9.0, *scores)))
    assert dice(threshold) == pytest.approx(best)
    assert all(dice(level) < best - 1e-12 for level in scores if level > threshold), "of equals the highest"


def test_best_dice_reads_the_validation_masks_and_pools_their_voxels(context) -> None:
    run = context(Supervision.VALIDATION_MASKS)
    found = thresholds(run, rule="best-dice")
    scores = np.concatenate([case.volume.image[case.volume.brain] for case in VALID])
    labels = np.concatenate([case.reference[case.volume.brain] for case in VALID])
    outside = sum(int((case.reference & ~case.volume.brain).sum()) for case in VALID)
    assert found.values["best-dice"] == best_dice(scores, labels, outside)[0]
    assert found.chosen == "best-dice"
    assert {line.split("(")[1] for line in run.labels.read} == {"choose a threshold)"}
    assert [row["name"] for row in run.tables["thresholds"] if row["labels"]] == ["best-dice"]
    mask = found.apply(CASE.volume, map_of(CASE.volume), run)
    assert 2 * (mask & CASE.reference).sum() / (mask.sum() + CASE.reference.sum()) > 0.7
    written = json.loads(next(run.host._cache.folder.glob("best-*/best-dice.json")).read_text())
    assert written["cases"] == 3
    assert written["dice"] > 0.7


def test_what_cannot_give_a_threshold_ends_the_run(context, tmp_path: Path) -> None:
    nobody = TinyCase(empty_volume(), empty_volume().empty_mask())
    with pytest.raises(RunError, match=r"no voxel of a held-out normal case is left .*normals.held_out"):
        thresholds(context(), [nobody])
    with pytest.raises(RunError, match=r"no voxel of a held-out normal case"):
        thresholds(context(), [])
    image = NORMALS[0].volume.image.copy()
    image[NORMALS[0].volume.brain] = np.nan
    diverged = TinyCase(make_volume("nan", image, NORMALS[0].volume.brain.copy()), NORMALS[0].reference)
    with pytest.raises(RunError, match=r"map of case nan has values that are not finite"):
        thresholds(context(), [NORMALS[1], diverged])
    run = context()
    cohort = tiny_cohort("valid", NORMALS)
    labels = TrialLabels(Supervision.VALIDATION_MASKS, {"train": [], "valid": NORMALS, "test": []})
    none = Recorder(tmp_path / "none", labels, tiny_cohort("healthy", []), seed=0)
    with pytest.raises(RunError, match=r"'best-dice': the 3 validation cases have no tumour"):
        none.run(collect_best, cohort=cohort, masks=reference_masks(cohort, none, "choose a threshold"))
    with pytest.raises(ValueError, match="needs what collect_best_dice wrote"):
        find_thresholds(ThresholdOptions(rule="best-dice"), run, run.run(collect_values, cohort=cohort))


def test_options_are_checked() -> None:
    for bad in ({"quantile": 1.0}, {"also": (0.5, 1.5)}, {"rule": "f1"}, {"component": "first"}, {"level": 1}):
        with pytest.raises(ValidationError):
            ThresholdOptions.model_validate(bad)
    assert [ThresholdOptions.model_validate({"rule": rule}).reads_masks for rule in ("quantile", "otsu")] == [False] * 2
    assert ThresholdOptions(rule="best-dice").reads_masks
