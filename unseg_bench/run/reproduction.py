"""A recipe with its runs: every part planned on one data set, what cannot be run named with the reason."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from unseg_bench.errors import SettingsError
from unseg_bench.plugins.manager import Plugins
from unseg_bench.plugins.names import did_you_mean
from unseg_bench.plugins.recipes import MethodsPart, Part, Recipe, StudyPart
from unseg_bench.run.plan import RunPlan, plan_runs
from unseg_bench.run.settings import RunSettings
from unseg_bench.run.variants import Row, plan_study, plan_sweeps, unique_plans


@dataclass(frozen=True, slots=True)
class PlannedPart:
    """One part of a recipe with its rows. `left_out`: method, or the part's key -> why there is no row of it.

    `as_it_is`: method that lacks the preset that was asked for -> what is said of that.
    """

    part: Part
    rows: tuple[Row, ...]
    left_out: Mapping[str, str]
    as_it_is: Mapping[str, str]


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

    A method that is not there, and a study that a method lacks, is left out and named. One that lacks the preset runs
    as it is. Raises SettingsError where no method of the recipe has the preset.
    """
    _check_preset(recipe, settings, plugins)
    return Reproduction(recipe, tuple(_plan_part(part, settings, plugins, runs_folder) for part in recipe.parts))


def _check_preset(recipe: Recipe, settings: RunSettings, plugins: Plugins) -> None:
    methods = [plugins.methods[name] for part in recipe.parts for name in _methods(part) if name in plugins.methods]
    known = {preset for method in methods for preset in method.presets}
    if settings.preset is not None and methods and settings.preset not in known:
        hint = did_you_mean(settings.preset, known)
        raise SettingsError(f"--preset {settings.preset}: no method of the recipe '{recipe.name}' has it.{hint}")


def _methods(part: Part) -> tuple[str, ...]:
    return tuple(part.methods) if isinstance(part, MethodsPart) else (part.method,)


def _plan_part(part: Part, settings: RunSettings, plugins: Plugins, runs_folder: Path) -> PlannedPart:
    left_out = {name: why for name in _methods(part) if (why := plugins.missing(name)) is not None}
    there = [name for name in _methods(part) if name not in left_out]
    own = {name: _of(name, settings, plugins) for name in there}
    as_it_is = {
        name: f"has no preset '{settings.preset}', so it runs as it is"
        for name in there
        if own[name].preset != settings.preset
    }
    if isinstance(part, MethodsPart):
        rows = tuple(Row(name, tuple(plan_runs(own[name], plugins, runs_folder))) for name in there)
        return PlannedPart(part, rows, left_out, as_it_is)
    if left_out:
        return PlannedPart(part, (), left_out, as_it_is)
    if not isinstance(part, StudyPart):
        (sweep,) = plan_sweeps(own[part.method], {part.option: part.values}, plugins, runs_folder)
        return PlannedPart(part, sweep.rows, {}, as_it_is)
    if part.study not in plugins.methods[part.method].studies:
        return PlannedPart(part, (), {part.key: f"{part.method} here has no study '{part.study}'"}, as_it_is)
    return PlannedPart(part, plan_study(own[part.method], part.study, plugins, runs_folder).rows, {}, as_it_is)


def _of(method: str, settings: RunSettings, plugins: Plugins) -> RunSettings:
    """The settings of one method, without the preset where it has none of that name."""
    has = settings.preset is None or settings.preset in plugins.methods[method].presets
    return settings.model_copy(update={"methods": (method,), "preset": settings.preset if has else None})
