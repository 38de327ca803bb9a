"""Normal slices: who says so, of which cases, at which heights, and what is set aside."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from unseg_bench.blocks.clip import scorer
from unseg_bench.blocks.clip.labels import ClipModel
from unseg_bench.blocks.normals import (
    TENTHS,
    Normals,
    NormalsOptions,
    count_by_height,
    find_normals,
    normal_places,
    normals_supervision,
    set_aside,
    touched,
)
from unseg_bench.blocks.slices import brain_slices
from unseg_bench.data.supervision import Supervision
from unseg_bench.errors import LabelAccessError, RunError
from unseg_bench.plugins.trial import (
    TinyCase,
    TrialContext,
    TrialLabels,
    empty_volume,
    tiny_case,
    tiny_cohort,
)

CASES = [tiny_case(f"case-{number}", number) for number in range(5)]
HEALTHY = [tiny_case(f"well-{number}", 10 + number, tumour=False) for number in range(4)]
BY_ID = {case.volume.case_id: case for case in (*CASES, *HEALTHY)}
WEIGHTS = SimpleNamespace(name="fake", sha256="f" * 64)


class FakeClip:
    """Calls a slice a tumour's when it has many bright pixels; with `certain`, always or never."""

    certain: float | None = None

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def probabilities(self, pictures: np.ndarray, captions: list[list[str]]) -> np.ndarray:
        brain = (pictures > 0).sum(axis=(1, 2))
        tumour = ((pictures > 200).sum(axis=(1, 2)) > 0.06 * brain).astype(np.float32)
        if self.certain is not None:
            tumour[:] = self.certain
        return np.stack([1 - tumour, tumour], axis=1)


class Recorder(TrialContext):
    """Keeps tables and notes."""

    def __init__(self, *values: Any, **named: Any) -> None:
        super().__init__(*values, **named)
        self.kept: dict[str, Any] = {}

    def table(self, name: str, rows: Any) -> None:
        super().table(name, rows)
        self.kept[f"table {name}"] = rows

    def note(self, event: str, values: Any) -> None:
        super().note(event, values)
        self.kept[f"note {event}"] = values


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Make a context whose stages lie in one store."""
    monkeypatch.setattr(scorer, "ClipScorer", FakeClip)
    monkeypatch.setattr(scorer, "clip_weights", lambda *_, **__: WEIGHTS)

    def make(supervision: Supervision = Supervision.NONE, healthy: list[TinyCase] = HEALTHY, seed: int = 0) -> Recorder:
        labels = TrialLabels(supervision, {"train": CASES})
        return Recorder(tmp_path, labels, tiny_cohort("healthy", healthy), seed=seed)

    return make


def found(run: Recorder, source: str, spacing_mm: float | None = None, **options: Any) -> Normals:
    chosen = NormalsOptions.model_validate({"source": source, **options})
    return find_normals(tiny_cohort("train", CASES), chosen, run, spacing_mm)


def all_ids(normals: Normals) -> set[str]:
    assert not set(normals.train.case_ids) & set(normals.held_out.case_ids)
    return {*normals.train.case_ids, *normals.held_out.case_ids}


def test_healthy_cases_are_normal_in_all_slices_with_enough_brain(context) -> None:
    run = context()
    normals = found(run, "healthy", min_brain_share=0.2)
    assert all_ids(normals) == {case.volume.case_id for case in HEALTHY}
    assert (len(normals.train), len(normals.held_out)) == (3, 1)
    for volume in (*normals.train, *normals.held_out):
        normal = normals.slices.array(volume.case_id)
        assert np.flatnonzero(normal).tolist() == brain_slices(volume.brain, 0.2).tolist()
        assert 0 < normal.sum() < len(brain_slices(volume.brain))
        places = normal_places(volume, normals.slices)
        assert np.array_equal(places, volume.brain & normal[None, None, :])
    assert run.labels.read == run.labels.refused == []


def test_all_takes_the_training_part_with_its_tumours(context) -> None:
    normals = found(context(), "all", min_brain_share=0.0)
    assert all_ids(normals) == {case.volume.case_id for case in CASES}
    assert all(np.array_equal(normal_places(volume, normals.slices), volume.brain) for volume in normals.train)


def test_slice_labels_leave_no_slice_with_tumour_and_are_read_for_a_purpose(context) -> None:
    run = context(Supervision.SLICE_LABELS)
    normals = found(run, "slice-labels", min_brain_share=0.0)
    for volume in (*normals.train, *normals.held_out):
        tumour = BY_ID[volume.case_id].reference.any(axis=(0, 1))
        assert np.array_equal(normals.slices.array(volume.case_id), volume.brain.any(axis=(0, 1)) & ~tumour)
    assert run.labels.read == [f"slice labels of {case.volume.case_id} (find normal slices)" for case in CASES]
    with pytest.raises(LabelAccessError):
        found(context(), "slice-labels")


def test_a_corrected_reference_is_another_result(context) -> None:
    first = found(context(Supervision.SLICE_LABELS), "slice-labels")
    moved = [TinyCase(case.volume, np.roll(case.reference, 4, axis=2)) for case in CASES]
    run = context(Supervision.SLICE_LABELS)
    run.labels = TrialLabels(Supervision.SLICE_LABELS, {"train": moved})
    second = found(run, "slice-labels")
    assert first.slices.digest != second.slices.digest
    assert not np.array_equal(first.slices.array("case-0"), second.slices.array("case-0"))


def test_clip_s_normal_slices_are_those_of_the_same_stages_as_any_labelling(context) -> None:
    options = NormalsOptions(min_brain_share=0.1)
    run = context()
    labels = ClipModel(options.clip, run).label(tiny_cohort("train", CASES), options.labels, run.run)
    run = context()
    normals = found(run, "clip", min_brain_share=0.1)
    assert [name.rpartition("-")[0] for name in run.finished] == ["normal-slices"]
    for volume in (*normals.train, *normals.held_out):
        enough = np.zeros(volume.shape[2], bool)
        enough[brain_slices(volume.brain, 0.1)] = True
        assert np.array_equal(normals.slices.array(volume.case_id), enough & (labels.array(volume.case_id) == 0))
    assert 0 < normals.slices.array("case-0").sum() < len(brain_slices(CASES[0].volume.brain))
    assert run.labels.read == run.labels.refused == []


@pytest.mark.parametrize(("certain", "kind"), [(1.0, "tumour"), (0.0, "normal")])
def test_a_clip_that_tells_nothing_apart_ends_the_run(context, monkeypatch, certain: float, kind: str) -> None:
    monkeypatch.setattr(FakeClip, "certain", certain)
    with pytest.raises(RunError, match=f"CLIP called all .* slices {kind}"):
        found(context(), "clip")


def test_cases_without_a_normal_slice_belong_to_neither_set(context) -> None:
    everywhere = [TinyCase(CASES[0].volume, CASES[0].volume.brain), *CASES[1:]]
    run = context(Supervision.SLICE_LABELS)
    run.labels = TrialLabels(Supervision.SLICE_LABELS, {"train": everywhere})
    assert all_ids(found(run, "slice-labels")) == {case.volume.case_id for case in CASES[1:]}


def test_two_cases_are_needed(context) -> None:
    with pytest.raises(
        RunError, match=r"normals.source=healthy: the data set declares no healthy case; give --healthy"
    ):
        found(context(healthy=[]), "healthy")
    with pytest.raises(RunError, match=r"normals.source=healthy: 1 of 1 cases .* two are needed.*--healthy GLOB"):
        found(context(healthy=HEALTHY[:1]), "healthy")
    nobody = TinyCase(empty_volume(), empty_volume().empty_mask())
    with pytest.raises(RunError, match=r"1 of 2 cases have a normal slice"):
        found(context(healthy=[nobody, HEALTHY[0]]), "healthy")
    run = context(Supervision.SLICE_LABELS)
    full = [TinyCase(case.volume, case.volume.brain) for case in CASES]
    run.labels = TrialLabels(Supervision.SLICE_LABELS, {"train": full})
    with pytest.raises(RunError, match=r"normals.source=slice-labels: 0 of 5 cases .*more training cases"):
        found(run, "slice-labels")


@pytest.mark.parametrize("source", ["healthy", "slice-labels", "clip", "all"])
def test_on_a_working_grid_slices_and_volumes_fit_and_nothing_of_a_tumour_is_normal(context, source: str) -> None:
    run = context(Supervision.SLICE_LABELS)
    normals = found(run, source, spacing_mm=3.0)
    for volume in (*normals.train, *normals.held_out):
        normal = normals.slices.array(volume.case_id)
        assert volume.spacing_mm == (3.0, 3.0, 3.0)
        assert (len(normal),) == volume.shape[2:]
        if source == "slice-labels":
            # In units of the image's slices: where each normal slice of the working grid begins and ends.
            tumour = np.flatnonzero(BY_ID[volume.case_id].reference.any(axis=(0, 1)))
            unit = BY_ID[volume.case_id].reference.shape[2] / len(normal)
            for index in np.flatnonzero(normal):
                assert ((tumour + 1 <= index * unit + 1e-9) | (tumour >= (index + 1) * unit - 1e-9)).all()


def test_the_table_counts_slices_and_cases_of_each_part_and_height(context) -> None:
    run = context(Supervision.SLICE_LABELS)
    normals = found(run, "slice-labels")
    rows = run.kept["table normals"]
    assert {row["source"] for row in rows} == {"slice-labels"}
    for part, cohort in (("train", normals.train), ("held-out", normals.held_out)):
        whole, *tenths = [row for row in rows if row["part"] == part]
        assert [whole["height"], *(row["height"] for row in tenths)] == ["all", *TENTHS]
        assert whole["cases"] == len(cohort)
        assert whole["slices"] == sum(int(normals.slices.array(case_id).sum()) for case_id in cohort.case_ids)
        assert sum(row["slices"] for row in tenths) == whole["slices"]
    middle = [row["slices"] for row in rows if row["part"] == "train" and row["height"] != "all"]
    assert min(middle) < middle[0], "tumours are not at the bottom of the brain"
    assert run.kept["note normals"] == {
        "source": "slice-labels",
        "train": list(normals.train.case_ids),
        "held-out": list(normals.held_out.case_ids),
    }


def test_fitting_again_finds_the_same_and_another_seed_other_cases(context) -> None:
    first = found(context(), "all")
    run = context()
    again = found(run, "all")
    assert run.finished == []
    assert (again.train.case_ids, again.train.digest) == (first.train.case_ids, first.train.digest)
    others = {found(context(seed=seed), "all").held_out.case_ids for seed in range(8)}
    assert len(others) > 1


@given(st.sets(st.text("abc0123", min_size=1), min_size=2, max_size=40), st.floats(0.01, 0.99), st.integers(0, 9))
def test_what_is_set_aside_is_a_share_that_leaves_some_and_barely_moves(ids, share, seed) -> None:
    cases = sorted(ids)
    held_out = set_aside(cases, share, seed)
    assert len(held_out) == np.clip(round(share * len(cases)), 1, len(cases) - 1)
    assert set(held_out) < ids
    assert set_aside(cases[::-1], share, seed) == held_out, "the order of the cases does not matter"
    more = set_aside([*cases, "new"], share, seed)
    assert len(set(held_out) - set(more)) <= 1


@given(st.lists(st.booleans(), min_size=1, max_size=30), st.integers(1, 60))
def test_a_slice_is_touched_by_whatever_overlaps_it(slices, count) -> None:
    from fractions import Fraction

    unit = Fraction(len(slices), count)
    expected = [
        any(flag and index < (place + 1) * unit and index + 1 > place * unit for index, flag in enumerate(slices))
        for place in range(count)
    ]
    assert touched(np.array(slices), count).tolist() == expected


@given(st.integers(1, 40), st.integers(0, 5), st.integers(0, 2**40 - 1))
def test_heights_are_tenths_of_the_brain_s_own_range(height, below, bits) -> None:
    brain = np.zeros((2, 2, below + height + 3), bool)
    brain[:, :, below : below + height] = True
    normal = np.zeros(brain.shape[2], bool)
    normal[below : below + height] = [bits >> place & 1 for place in range(height)]
    counts, _ = np.histogram((np.flatnonzero(normal) - below + 0.5 + 1e-9) / height, bins=10, range=(0, 1))
    assert count_by_height(normal, brain) == counts.tolist()
    assert count_by_height(np.zeros(4, bool), np.zeros((2, 2, 4), bool)) == [0] * 10


@pytest.mark.parametrize(
    ("source", "masks", "expected"),
    [
        ("clip", False, Supervision.NONE),
        ("healthy", False, Supervision.NONE),
        ("all", False, Supervision.NONE),
        ("slice-labels", False, Supervision.SLICE_LABELS),
        ("clip", True, Supervision.VALIDATION_MASKS),
        ("slice-labels", True, Supervision.SLICE_LABELS_AND_VALIDATION_MASKS),
    ],
)
def test_what_a_method_must_declare(source, masks, expected) -> None:
    assert normals_supervision(source, reads_validation_masks=masks) is expected


def test_options_are_checked() -> None:
    for bad in ({"source": "mask"}, {"held_out": 0.0}, {"held_out": 1.0}, {"min_brain_share": 1.0}, {"part": 1}):
        with pytest.raises(ValidationError):
            NormalsOptions.model_validate(bad)


def test_naming_the_options_loads_no_torch() -> None:
    code = "import sys, unseg_bench.blocks.normals; print([m for m in ('torch', 'open_clip') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
