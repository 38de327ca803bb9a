from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.run.conftest import ToyRuns
from unseg_bench import Context, RunError, Volume, Work, stage
from unseg_bench.run.runner import execute


class Listener:
    def __init__(self) -> None:
        self.heard: list[tuple[Any, ...]] = []

    def __getattr__(self, name: str) -> Any:
        return lambda *values, **named: self.heard.append((name, *values, *named.values()))


@stage("inner")
def inner(work: Work) -> None:
    work.progress(1, 2, "of the inner stage")
    Path(work.folder, "result").touch()


@stage("broken-off")
def broken_off(work: Work) -> None:
    work.progress(1, 2, "of the broken stage")
    raise ValueError


def test_stages_inside_segment_are_not_told(toy: ToyRuns, monkeypatch: pytest.MonkeyPatch) -> None:
    def segment(self: object, volume: Volume, context: Context) -> Any:
        context.run(inner)
        context.progress(3, 4, "of the method itself")
        context.run(inner)
        with suppress(RunError):
            context.run(broken_off)
        context.progress(5, 6, "afterwards")
        return volume.empty_mask()

    plan, listener = toy.plan(), Listener()
    monkeypatch.setattr(plan.loaded, "segment", segment)
    execute(plan, listener)
    stages = [what[1] for what in listener.heard if what[0] == "stage_begins"]
    assert stages == ["prepare", "gather", "train", "segment"]
    ends = [what[1] for what in listener.heard if what[0] == "stage_ends"]
    assert ends == stages
    begin = listener.heard.index(("stage_begins", "segment"))
    notes = [what[3] for what in listener.heard[begin:] if what[0] == "step"]
    assert notes[0::3] == ["of the method itself"] * len(plan.case_ids)
    assert notes[1::3] == ["afterwards"] * len(plan.case_ids)
    assert sorted(notes[2::3]) == sorted(plan.case_ids)
