"""Kill -9 in the middle, the same command again: the same bits, and nothing computed twice."""

from collections import Counter
from random import Random

import pytest

STEPS = 1 + 4 + 3  # gather, four training steps, three test cases


def predictions(folder):
    return {path.name: path.read_bytes() for path in folder.glob("runs/toy/*/predictions/*.nii.gz")}


def steps(folder):
    return Counter((folder / "toy.log").read_text().splitlines())


@pytest.mark.slow
def test_five_kills_change_no_bit_and_cost_no_step(toy, tmp_path):
    quiet, killed = tmp_path / "quiet", tmp_path / "killed"
    random = Random(1)
    # At most one step survives an attempt, so that five kills fit into eight steps.
    kills = [(killed, random.choice([1, 2])) for _ in range(5)]
    assert toy.attempts([(quiet, 0), *kills, (killed, 0)]) == [0, -9, -9, -9, -9, -9, 0]
    assert len(predictions(quiet)) == 3
    assert predictions(killed) == predictions(quiet)
    assert steps(killed) == steps(quiet)
    assert set(steps(killed).values()) == {1}


@pytest.mark.slow
def test_kill_at_every_step(toy, tmp_path):
    folders = [tmp_path / f"killed-at-{at}" for at in range(1, STEPS + 1)]
    schedule = [(folder, at) for at, folder in enumerate(folders, 1)]
    assert toy.attempts(schedule) == [-9] * STEPS
    assert [sum(steps(folder).values()) for folder in folders[1:]] == list(range(1, STEPS))
    assert toy.attempts([(folder, 0) for folder in folders]) == [0] * STEPS
    for folder in folders:
        assert predictions(folder) == predictions(folders[0])
        assert len(steps(folder)) == STEPS
        assert set(steps(folder).values()) == {1}, folder.name


def test_a_complete_run_computes_nothing(toy):
    toy.run()
    toy.forget()
    assert toy.run().state == "predicted"
    assert toy.lines == []


def test_force_computes_all_again(toy):
    toy.run()
    before = sorted(toy.lines)
    toy.forget()
    toy.run(force=True)
    assert sorted(toy.lines) == before
