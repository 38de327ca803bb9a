"""SAM on volumes: slices are encoded once, and what is kept of them gives the same masks."""

import errno
import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from unseg_bench.blocks.prompts import box_prompt, prompt_of
from unseg_bench.blocks.sam import slices
from unseg_bench.blocks.sam.options import SamOptions
from unseg_bench.blocks.sam.segmenter import SamSegmenter
from unseg_bench.blocks.sam.slices import BLOCK, LazySam, segment_volume, slice_pictures
from unseg_bench.data.supervision import Supervision
from unseg_bench.data.volume import Volume
from unseg_bench.errors import DiskFullError, RunError
from unseg_bench.plugins.trial import TrialContext, TrialLabels, tiny_case, tiny_cohort

OPTIONS = SamOptions(model="miniature", weights="miniature-sam", batch=2)
ANEW = OPTIONS.model_copy(update={"keep_embeddings": False})
CASES = [tiny_case(f"case-{number}", number) for number in (1, 2)]


class Counting(LazySam):
    """Counts the slices that are encoded; `real` is loaded once."""

    real = SamSegmenter("miniature", offline=True)

    def __init__(self, context, options=OPTIONS) -> None:
        super().__init__(options, context)
        self.encoded = 0
        self.sam, self.embedding, self.segment_many = self.real.sam, self.real.embedding, self.real.segment_many

    def get(self):
        return self

    def encode_many(self, pictures, *, batch_size=1):
        assert batch_size == OPTIONS.batch
        self.encoded += len(pictures)
        return self.real.encode_many(pictures, batch_size=batch_size)


def context_in(folder: Path) -> TrialContext:
    return TrialContext(folder, TrialLabels(Supervision.NONE, {}), tiny_cohort("healthy", []), seed=0)


def prompts_from(volume: Volume, region: np.ndarray):
    pictures = volume.image.transpose(2, 1, 0)
    shown = np.flatnonzero((region & volume.brain).any(axis=(0, 1)))
    return {
        int(z): [prompt_of(region[:, :, z].T, pictures[z], kind="both", points="paper", dilation_px=1)] for z in shown
    }


def blocks_of(volume: Volume, prompts) -> int:
    """How many slices with brain the blocks have that are asked about."""
    blocks = {z // BLOCK for z in prompts}
    return sum(z // BLOCK in blocks for z in np.flatnonzero(volume.brain.any(axis=(0, 1))))


def test_a_slice_is_encoded_once_whatever_is_asked_of_it_and_in_whichever_run(tmp_path) -> None:
    sam = Counting(context_in(tmp_path))
    expected = 0
    for case in CASES:
        prompts = prompts_from(case.volume, case.reference)
        for _ in range(2):
            segment_volume(sam, case.volume, prompts)
        expected += blocks_of(case.volume, prompts)
    assert sam.encoded == expected > 10

    # Another run, whose regions lie one slice higher, another batch and another name of the case: nothing is encoded.
    volume = replace(CASES[0].volume, case_id="the same image")
    higher = {z + 1: asked for z, asked in prompts_from(volume, CASES[0].reference).items()}
    other = Counting(context_in(tmp_path))
    segment_volume(other, volume, {z: asked for z, asked in higher.items() if volume.brain[:, :, z].any()})
    before = {z // BLOCK for z in prompts_from(volume, CASES[0].reference)}
    assert other.encoded == sum(
        z // BLOCK in {one // BLOCK for one in higher} - before for z in np.flatnonzero(volume.brain.any(axis=(0, 1)))
    )


@pytest.mark.parametrize(
    "change", [{"scaling": "volume"}, {"equalise": True}, {"weights": "another file"}, {"batch": 1}]
)
def test_features_are_known_by_the_slice_and_the_weights_alone(tmp_path, monkeypatch, change) -> None:
    def digests(options) -> set[str]:
        context = context_in(tmp_path)
        monkeypatch.setattr(slices, "resolve", lambda name, **_: SimpleNamespace(name=name, sha256=f"digest of {name}"))
        sam = Counting(context, options)
        sam.encode_many = lambda pictures, **_: Counting.real.encode_many(pictures)
        segment_volume(sam, CASES[0].volume, prompts_from(CASES[0].volume, CASES[0].reference))
        return set(context.finished)

    assert digests(OPTIONS)
    assert bool(digests(OPTIONS.model_copy(update=change))) == ("batch" not in change)


def test_keeping_embeddings_does_not_change_a_voxel(tmp_path) -> None:
    context = context_in(tmp_path)
    for case in CASES:
        prompts = prompts_from(case.volume, case.reference)
        kept = segment_volume(Counting(context), case.volume, prompts)
        finished = list(context.finished)
        anew = Counting(context, ANEW)
        without = segment_volume(anew, case.volume, prompts)
        assert anew.encoded == len(prompts)
        assert context.finished == finished
        assert without.any()
        np.testing.assert_array_equal(without, kept)


def test_a_full_disk_names_the_option_that_needs_none(tmp_path, monkeypatch) -> None:
    context = context_in(tmp_path)

    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(DiskFullError, match=r"no space left on its disk.*sam\.keep_embeddings=false"):
        segment_volume(Counting(context), CASES[0].volume, {10: [box_prompt((1, 1, 9, 9))]})


def test_half_precision_gives_the_masks_of_single_precision(tmp_path) -> None:
    sam = LazySam(ANEW, context_in(tmp_path))
    for case in CASES:
        volume = case.volume
        prompts = prompts_from(volume, case.reference & volume.brain)
        rounded = segment_volume(sam, volume, prompts)
        exact = volume.empty_mask()
        for z, some in prompts.items():
            picture = slice_pictures(volume, np.array([z]), OPTIONS)[0]
            found = sam.get().segment_many(sam.get().encode(picture), some)
            exact[:, :, z] = found[0][0].T & volume.brain[:, :, z]
        assert (rounded & exact).sum() / (rounded | exact).sum() >= 0.999


def test_a_slice_has_the_union_of_its_prompts_and_other_slices_have_nothing(tmp_path) -> None:
    sam = LazySam(OPTIONS, context_in(tmp_path))
    volume = CASES[0].volume
    z = volume.shape[2] // 2
    left, right = box_prompt((5, 5, 15, 20)), box_prompt((20, 10, 30, 25))
    alone = [segment_volume(sam, volume, {z: [one]}) for one in (left, right)]
    union = segment_volume(sam, volume, {z: [left, right], z + 1: []})
    np.testing.assert_array_equal(union, alone[0] | alone[1])
    assert not np.delete(union, z, axis=2).any()
    assert not (union & ~volume.brain).any()
    assert not segment_volume(sam, volume, {}).any()


def test_features_that_half_precision_cannot_hold_are_refused(tmp_path) -> None:
    sam = Counting(context_in(tmp_path))
    sam.encode_many = lambda pictures, **_: [SimpleNamespace(features=torch.full((1, 2, 3, 3), 1e6)) for _ in pictures]
    with pytest.raises(RunError, match="not finite"):
        segment_volume(sam, CASES[0].volume, {10: [box_prompt((1, 1, 9, 9))]})


def test_weights_are_written_down_at_once_and_the_model_is_loaded_once() -> None:
    written = []
    context = SimpleNamespace(device="cpu", offline=True, record_weights=lambda *facts: written.append(facts))
    sam = LazySam(OPTIONS, context)
    assert written == [("miniature-sam", sam.digest)]
    assert sam.get() is sam.get()
