"""A method with two stages and a study, and a recipe; every stage that is computed is a line in its run's log."""

import json

from unseg_bench import Cohort, Context, Mask, Method, MethodOptions, Volume, Work, hookimpl, stage
from unseg_bench.plugins.method import Study
from unseg_bench.plugins.recipes import MethodsPart, Recipe, StudyPart, SweepPart


class LevelOptions(MethodOptions):
    level: float = 2.0


class ShiftOptions(MethodOptions):
    by: float = 0.0


class StudiedOptions(MethodOptions):
    start: LevelOptions = LevelOptions()
    shift: ShiftOptions = ShiftOptions()
    shrink: float = 0.0
    fail: bool = False


@stage("start", seeded=False)
def find_level(work: Work, options: LevelOptions, *, cohort: Cohort) -> None:
    (work.folder / "level.json").write_text(json.dumps(options.level + 0 * len(list(cohort))))


@stage("shift")
def shift_level(work: Work, options: ShiftOptions, *, start: object) -> None:
    (work.folder / "level.json").write_text(json.dumps(json.loads(start.path("level.json").read_text()) + options.by))


class Studied(Method):
    """Brighter than a level that two stages make."""

    name = "studied"
    Options = StudiedOptions
    presets = {"paper": {}, "demo": {}, "check": {}}  # noqa: RUF012
    studies = {  # noqa: RUF012
        "steps": Study(
            "What each step brings",
            {
                "lower": {"shift": {"by": -0.5}},
                "higher start": {"start.level": 2.5},
                "no shift": {"shift.by": 0.0},
                "shrunk": {"shrink": 1.0},
                "Ours": {},
            },
        ),
        "other": Study("Another", {"one": {}, "two": {"shift.by": 0.25}}),
    }

    def fit(self, training: Cohort, validation: Cohort, context: Context) -> None:
        start = context.run(find_level, self.options.start, cohort=training)
        shifted = context.run(shift_level, self.options.shift, start=start)
        self.level = json.loads(shifted.path("level.json").read_text())

    def segment(self, volume: Volume, context: Context) -> Mask:
        if self.options.fail:
            raise ValueError("told to fail")
        return volume.brain & (volume.image > self.level + self.options.shrink)


@hookimpl
def ubench_methods() -> list[type[Method]]:
    return [Studied]


@hookimpl
def ubench_recipes() -> list[Recipe]:
    parts = (
        MethodsPart("table1", "Methods", ("studied", "threshold", "not-there"), published="table1"),
        StudyPart("table2", "Steps", "studied", "steps", published="table2"),
        StudyPart("table3", "A study that is not there", "studied", "none"),
        SweepPart("curve", "Curve", "studied", "shift.by", (-0.5, 0, 0.5)),
        SweepPart("unread", "Of a method that is not there", "not-there", "x", (1, 2)),
    )
    return [Recipe("toys", "Toys", parts)]
