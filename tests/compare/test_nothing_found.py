"""A row without a voxel of tumour in any case is named below the table."""

from unseg_bench.compare.build import compare
from unseg_bench.score.record import Flag

EMPTY = dict.fromkeys(("p00", "p01"), (Flag.EMPTY_PREDICTION,))


def test_only_runs_whose_every_prediction_is_empty_are_named(make_run):
    nothing = [make_run("none", [0, 0], flags=EMPTY, seed=seed) for seed in (0, 1)]
    little = make_run("little", [0, 0.5], flags={"p00": (Flag.EMPTY_PREDICTION,)})
    notes = compare([*nothing, little]).notes
    assert "found nothing, every prediction is empty: none (seed 0), none (seed 1)" in notes
    assert not any("every prediction" in note for note in compare([little]).notes)
