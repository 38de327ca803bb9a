import numpy as np

from unseg_bench.blocks.clip.labels import argmax_labels, confident_labels, labelled_slices
from unseg_bench.plugins.context import Artifact


def probabilities(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def test_argmax_leaves_out_what_clip_was_not_asked_about() -> None:
    assert argmax_labels(probabilities(np.nan, 0.2, 0.5, 0.51, 0.9)).tolist() == [-1, 0, 0, 1, 1]


def test_unsure_slices_are_left_out() -> None:
    found = confident_labels(probabilities(0.39, 0.41, 0.59, 0.61, np.nan), 0.6)
    assert found.tolist() == [0, -1, -1, 1, -1]


def test_ten_kept_neighbours_outvote_a_slice_and_eight_do_not() -> None:
    lonely = [0.9] * 5 + [0.1] + [0.9] * 5
    assert confident_labels(probabilities(*lonely), 0.6).tolist() == [1] * 11
    few = [0.9] * 4 + [0.1] + [0.9] * 4
    assert confident_labels(probabilities(*few), 0.6).tolist() == [1] * 4 + [0] + [1] * 4


def test_a_tie_of_the_neighbours_gives_normal() -> None:
    even = [0.9] * 5 + [0.9] + [0.1] * 5
    assert confident_labels(probabilities(*even), 0.6)[5] == 0


def test_neighbours_farther_than_six_slices_do_not_vote() -> None:
    # Six slices in a row are left out, so that those beyond are too far: four and five voters are too few.
    gap = [0.9] * 5 + [0.5] * 6 + [0.1] + [0.9] * 5
    assert confident_labels(probabilities(*gap), 0.6).tolist() == [1] * 5 + [-1] * 6 + [0] + [1] * 5


def test_the_vote_is_of_labels_before_the_vote() -> None:
    rng = np.random.default_rng(0)
    given = rng.random(60).astype(np.float32)
    found = confident_labels(given, 0.6)
    kept = [z for z in range(60) if max(given[z], 1 - given[z]) >= 0.6]
    for place, z in enumerate(kept):
        near = [other for other in kept[max(0, place - 5) : place + 6] if other != z and abs(other - z) <= 6]
        votes = [given[other] > 0.5 for other in near]
        own = given[z] > 0.5
        expected = own if len(near) <= 8 else 2 * sum(votes) > len(votes)
        assert found[z] == expected
    assert set(np.flatnonzero(found == -1)) == set(range(60)) - set(kept)


def test_labelled_slices_are_those_with_a_label(tmp_path) -> None:
    np.save(tmp_path / "a.npy", np.array([-1, 0, 1, -1, 1], np.int8))
    slices, tumour = labelled_slices(Artifact("slice-labels", tmp_path, "digest"), "a")
    assert slices.tolist() == [1, 2, 4]
    assert tumour.tolist() == [False, True, True]
