"""SAM on volumes: slices are encoded once, and what is kept of them gives the same masks."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from unseg_bench.blocks.prompts import box_prompt, prompt_of
from unseg_bench.blocks.sam.options import SamOptions
from unseg_bench.blocks.sam.segmenter import SamSegmenter
from unseg_bench.blocks.sam.slices import (
    LazySam,
    SliceEmbeddings,
    encode_slices,
    keep_embeddings,
    segment_volume,
    slice_pictures,
)
from unseg_bench.data.volume import Volume
from unseg_bench.errors import RunError
from unseg_bench.plugins.context import Artifact
from unseg_bench.plugins.trial import tiny_case, tiny_cohort

OPTIONS = SamOptions(model="miniature", weights="miniature-sam", batch=2)
CASES = [tiny_case(f"case-{number}", number) for number in (1, 2)]
COHORT = tiny_cohort("train", CASES)


class Counting:
    """Stands where `LazySam` stands and counts the slices that are encoded."""

    def __init__(self) -> None:
        self.encoded, self.digest = 0, "w"
        self._real = SamSegmenter("miniature", offline=True)
        self.sam, self.embedding, self.segment_many = self._real.sam, self._real.embedding, self._real.segment_many

    def get(self) -> "Counting":
        return self

    def encode_many(self, pictures, *, batch_size=1):
        assert len(pictures) <= OPTIONS.batch
        self.encoded += len(pictures)
        return self._real.encode_many(pictures, batch_size=batch_size)


class Runs:
    """The least of a context: runs a stage anew into a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.count = folder, 0

    def __call__(self, step, options, *, extras, **inputs) -> Artifact:
        self.count += 1
        made, scratch = (self.folder / f"{step.name}-{self.count}{end}" for end in ("", ".scratch"))
        made.mkdir()
        scratch.mkdir()
        work = SimpleNamespace(folder=made, scratch=scratch, device="cpu", seed=0, progress=lambda *_: None)
        step.function(work, options, **inputs, **extras)
        return Artifact(step.name, made, str(self.count))


def regions_of(folder: Path, masks: dict[str, np.ndarray]) -> Artifact:
    folder.mkdir()
    for case_id, mask in masks.items():
        np.save(folder / f"{case_id}.npy", mask)
    return Artifact("regions", folder, folder.name)


def prompts_from(volume: Volume, region: np.ndarray):
    pictures = volume.image.transpose(2, 1, 0)
    slices = np.flatnonzero(region.any(axis=(0, 1)))
    return {
        int(z): [prompt_of(region[:, :, z].T, pictures[z], kind="both", points="paper", dilation_px=1)] for z in slices
    }


def keep(run: Runs, regions: Artifact, sam, known=()):
    return keep_embeddings(run, OPTIONS, cohort=COHORT, regions=regions, segmenter=sam, known=known)


def test_a_slice_is_encoded_once_whatever_is_asked_of_it(tmp_path) -> None:
    sam, run = Counting(), Runs(tmp_path)
    masks = {case.volume.case_id: case.reference & case.volume.brain for case in CASES}
    kept = keep(run, regions_of(tmp_path / "regions", masks), sam)
    with_tumour = sum(int(mask.any(axis=(0, 1)).sum()) for mask in masks.values())
    assert sam.encoded == with_tumour
    for case in CASES:
        volume = case.volume
        found = SliceEmbeddings(kept, volume.case_id)
        for _ in range(2):
            segment_volume(sam, volume, prompts_from(volume, masks[volume.case_id]), OPTIONS, found)
    assert sam.encoded == with_tumour

    wider = {case_id: np.roll(mask, 1, axis=2) | mask for case_id, mask in masks.items()}
    wider = {case.volume.case_id: wider[case.volume.case_id] & case.volume.brain for case in CASES}
    both = keep(run, regions_of(tmp_path / "wider", wider), sam, known=kept)
    assert len(both) == 2
    assert sam.encoded == sum(int(mask.any(axis=(0, 1)).sum()) for mask in wider.values())
    new = SliceEmbeddings(both[1:], CASES[0].volume.case_id)
    first = SliceEmbeddings(both[:1], CASES[0].volume.case_id)
    assert not any(z in new and z in first for z in range(CASES[0].volume.shape[2]))


def test_keeping_embeddings_does_not_change_a_voxel(tmp_path) -> None:
    sam, run = Counting(), Runs(tmp_path)
    masks = {case.volume.case_id: case.reference & case.volume.brain for case in CASES}
    kept = keep(run, regions_of(tmp_path / "regions", masks), sam)
    for case in CASES:
        volume, prompts = case.volume, prompts_from(case.volume, masks[case.volume.case_id])
        without = segment_volume(sam, volume, prompts, OPTIONS)
        with_them = segment_volume(sam, volume, prompts, OPTIONS, SliceEmbeddings(kept, volume.case_id))
        assert without.any()
        np.testing.assert_array_equal(without, with_them)


def test_half_precision_gives_the_masks_of_single_precision() -> None:
    segmenter = SamSegmenter("miniature", offline=True)
    for case in CASES:
        volume = case.volume
        prompts = prompts_from(volume, case.reference & volume.brain)
        rounded = segment_volume(segmenter, volume, prompts, OPTIONS)
        exact = volume.empty_mask()
        for z, some in prompts.items():
            picture = slice_pictures(volume, np.array([z]), OPTIONS)[0]
            exact[:, :, z] = segmenter.segment_many(segmenter.encode(picture), some)[0][0].T & volume.brain[:, :, z]
        assert (rounded & exact).sum() / (rounded | exact).sum() >= 0.999


def test_a_slice_has_the_union_of_its_prompts_and_other_slices_have_nothing() -> None:
    segmenter = SamSegmenter("miniature", offline=True)
    volume = CASES[0].volume
    z = volume.shape[2] // 2
    left, right = box_prompt((5, 5, 15, 20)), box_prompt((20, 10, 30, 25))
    alone = [segment_volume(segmenter, volume, {z: [one]}, OPTIONS) for one in (left, right)]
    union = segment_volume(segmenter, volume, {z: [left, right], z + 1: []}, OPTIONS)
    np.testing.assert_array_equal(union, alone[0] | alone[1])
    assert not np.delete(union, z, axis=2).any()
    assert not (union & ~volume.brain).any()
    assert not segment_volume(segmenter, volume, {}, OPTIONS).any()


def test_cases_that_are_done_survive_a_crash(tmp_path) -> None:
    sam = Counting()
    masks = {case.volume.case_id: case.reference & case.volume.brain for case in CASES}
    regions = regions_of(tmp_path / "regions", masks)
    ticks = []

    def progress(done, _total, _note) -> None:
        ticks.append(done)
        if ticks == [0, 1]:
            raise KeyboardInterrupt

    work = SimpleNamespace(folder=tmp_path / "out", scratch=tmp_path / "scratch", device="cpu", progress=progress)
    work.folder.mkdir()
    work.scratch.mkdir()
    inputs = {"cohort": COHORT, "regions": regions, "weights": "w", "segmenter": sam}
    with pytest.raises(KeyboardInterrupt):
        encode_slices.function(work, OPTIONS, **inputs)
    before = sam.encoded
    encode_slices.function(work, OPTIONS, **inputs)
    assert before == masks["case-1"].any(axis=(0, 1)).sum()
    assert sam.encoded - before == masks["case-2"].any(axis=(0, 1)).sum()
    assert len(list(work.folder.glob("*.npy"))) == 4


def test_nothing_is_encoded_where_embeddings_are_not_kept(tmp_path) -> None:
    options = OPTIONS.model_copy(update={"keep_embeddings": False})
    kept = keep_embeddings(
        Runs(tmp_path), options, cohort=COHORT, regions=None, segmenter=Counting(), known=("earlier",)
    )
    assert kept == ("earlier",)


def test_features_that_half_precision_cannot_hold_are_refused() -> None:
    segmenter = Counting()
    segmenter.encode_many = lambda _, **__: [SimpleNamespace(features=torch.full((1, 2, 3, 3), 1e6))]
    with pytest.raises(RunError, match="not finite"):
        segment_volume(segmenter, CASES[0].volume, {10: [box_prompt((1, 1, 9, 9))]}, OPTIONS)


def test_weights_are_written_down_at_once_and_the_model_is_loaded_once() -> None:
    written = []
    context = SimpleNamespace(device="cpu", offline=True, record_weights=lambda *facts: written.append(facts))
    sam = LazySam(OPTIONS, context)
    assert written == [("miniature-sam", sam.digest)]
    assert sam.get() is sam.get()
