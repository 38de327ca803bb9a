"""A recipe with its runs: every part planned on one data set, what cannot be run named with the reason."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from unseg_bench.plugins.manager import Plugins
from unseg_bench.plugins.recipes import MethodsPart, Part, Recipe, StudyPart
from unseg_bench.run.plan import RunPlan, plan_runs
from unseg_bench.run.settings import RunSettings
from unseg_bench.run.variants import Row, plan_study, plan_sweeps, unique_plans


@dataclass(frozen=True, slots=True)
class PlannedPart:
    """One part of a recipe with its rows. `left_out`: method, or the part's key -> why there is no row of it."""

    part: Part
    rows: tuple[Row, ...]
    left_out: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Reproduction:
    """A recipe, planned."""

    recipe: Recipe
    parts: tuple[PlannedPart, ...]

    @property
    def plans(self) -> list[RunPlan]:
        """The runs of all parts, each once."""
        return unique_plans(row for planned in self.parts for row in planned.rows)


def plan_recipe(recipe: Recipe, settings: RunSettings, plugins: Plugins, runs_folder: Path) -> Reproduction:
    """Plan every part; `settings` name the data, preset and seeds, their methods are not looked at.

    A method that is not there or lacks the preset, and a study that a method lacks, is left out and named.
    """
    return Reproduction(recipe, tuple(_plan_part(part, settings, plugins, runs_folder) for part in recipe.parts))


def _plan_part(part: Part, settings: RunSettings, plugins: Plugins, runs_folder: Path) -> PlannedPart:
    if isinstance(part, MethodsPart):
        left_out = {name: why for name in part.methods if (why := _lacks(name, settings, plugins)) is not None}
        rows = tuple(
            Row(name, tuple(plan_runs(_of(name, settings), plugins, runs_folder)))
            for name in part.methods
            if name not in left_out
        )
        return PlannedPart(part, rows, left_out)
    if (why := _lacks(part.method, settings, plugins)) is not None:
        return PlannedPart(part, (), {part.method: why})
    own = _of(part.method, settings)
    if not isinstance(part, StudyPart):
        (sweep,) = plan_sweeps(own, {part.option: part.values}, plugins, runs_folder)
        return PlannedPart(part, sweep.rows, {})
    if part.study not in plugins.methods[part.method].studies:
        return PlannedPart(part, (), {part.key: f"{part.method} here has no study '{part.study}'"})
    return PlannedPart(part, plan_study(own, part.study, plugins, runs_folder).rows, {})


def _of(method: str, settings: RunSettings) -> RunSettings:
    return settings.model_copy(update={"methods": (method,)})


def _lacks(method: str, settings: RunSettings, plugins: Plugins) -> str | None:
    """Return why a method cannot be run, None where it can."""
    if (why := plugins.missing(method)) is not None:
        return why
    presets = plugins.methods[method].presets
    if settings.preset is not None and presets and settings.preset not in presets:
        return f"has no preset '{settings.preset}'"
    return None
