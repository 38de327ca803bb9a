"""Rows of a table that differ in options: a study of a method, or one option at several values; planned together."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from unseg_bench.errors import SettingsError
from unseg_bench.plugins.manager import Plugins
from unseg_bench.plugins.names import did_you_mean
from unseg_bench.run.method_card import MethodCard
from unseg_bench.run.plan import RunPlan, plan_runs, plan_variants
from unseg_bench.run.settings import RunSettings
from unseg_bench.run.values import read_values


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its label in the table, and its runs, one a seed."""

    label: str
    plans: tuple[RunPlan, ...]


@dataclass(frozen=True, slots=True)
class Variation:
    """Rows of one method in their order. `name`: of the study, or the option that is swept; `title`: for people."""

    name: str
    title: str
    rows: tuple[Row, ...]


def unique_plans(rows: Iterable[Row]) -> list[RunPlan]:
    """Return the runs of all rows in order, each run folder once."""
    return list({plan.folder.path.resolve(): plan for row in rows for plan in row.plans}.values())


def plan_study(settings: RunSettings, name: str | None, plugins: Plugins, runs_folder: Path) -> Variation:
    """Plan a study of the one method that `settings` name; None: its first one.

    Raises SettingsError where the method has no such study, and where a row names an option that it does not have.
    """
    card = _card(settings, plugins, runs_folder)
    chosen = _choose(card, name, plugins)
    study = card.studies[chosen]
    for label, options in study.rows.items():
        for option in dotted_names(options):
            _check_option(card, option, f"study '{chosen}' of {card.name}, row '{label}': {option}")
    return Variation(chosen, study.title, _plan_rows(study.rows, settings, plugins, runs_folder))


def plan_sweeps(
    settings: RunSettings, over: Mapping[str, Sequence[Any]], plugins: Plugins, runs_folder: Path
) -> list[Variation]:
    """Plan one line of runs an option: that option at each of its values, all others as they are.

    Raises SettingsError for an option that the method does not have, or a value that it does not take.
    """
    card = _card(settings, plugins, runs_folder)
    for option in over:
        _check_option(card, option, f"--over {option}")
    return [
        Variation(
            option,
            f"{card.name} over {option}",
            _plan_rows({f"{option}={_text(value)}": {option: value} for value in values}, settings, plugins,
                       runs_folder, swept=True),
        )
        for option, values in over.items()
    ]  # fmt: skip


def parse_sweeps(assignments: Sequence[str]) -> dict[str, list[Any]]:
    """Turn `["amda.alpha=0,10,20"]` into options and values, each read as `--set` reads it. Raises SettingsError."""
    sweeps: dict[str, list[Any]] = {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        name = name.strip()
        if not equals or not name or not text.strip():
            raise SettingsError(
                f"--over {assignment}: expected name=value,value,..., e.g. --over amda.alpha=0,10,20,30"
            )
        if name in sweeps:
            raise SettingsError(f"--over {name}: given twice; put all its values behind one")
        try:
            values = cast("list[Any]", read_values(f"[{text}]"))
        except ValueError as error:
            raise SettingsError(f"--over {name}: the values {text!r} are not readable: {error}") from error
        if len({_text(value) for value in values}) < len(values):
            raise SettingsError(f"--over {name}: a value stands there twice in {text!r}")
        sweeps[name] = values
    return sweeps


def dotted_names(options: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Return the dotted names of nested or dotted options, as a study's row has them."""
    names: list[str] = []
    for name, value in options.items():
        if isinstance(value, Mapping):
            names += dotted_names(cast("Mapping[str, Any]", value), f"{prefix}{name}.")
        else:
            names.append(prefix + name)
    return names


def _card(settings: RunSettings, plugins: Plugins, runs_folder: Path) -> MethodCard:
    if len(settings.methods) != 1:
        raise SettingsError(f"one method is needed here, not {' and '.join(settings.methods)}")
    return plan_runs(settings, plugins, runs_folder)[0].method


def _choose(card: MethodCard, name: str | None, plugins: Plugins) -> str:
    if not card.studies:
        known = sorted(method.name for method in plugins.methods.values() if method.studies)
        have = f"these have some: {', '.join(known)}" if known else "no method here has any"
        raise SettingsError(f"{card.name} names no studies; {have}. A method names them in its class ('studies')")
    if name is None:
        return next(iter(card.studies))
    if name not in card.studies:
        raise SettingsError(f"--study {name}: {card.name} has no such study.{did_you_mean(name, card.studies)}")
    return name


def _check_option(card: MethodCard, option: str, where: str) -> None:
    if option not in card.known:
        raise SettingsError(f"{where}: {card.name} has no such option.{did_you_mean(option, card.known)}")


def _plan_rows(
    rows: Mapping[str, Mapping[str, Any]],
    settings: RunSettings,
    plugins: Plugins,
    runs_folder: Path,
    *,
    swept: bool = False,
) -> tuple[Row, ...]:
    """Plan every row: its options come over the preset's; `--set` comes over a study's, a swept option over `--set`."""
    variants = {
        label: settings.model_copy(
            update={"set": {**settings.set, **options} if swept else {**options, **settings.set}}
        )
        for label, options in rows.items()
    }
    planned = plan_variants(variants, plugins, runs_folder)
    return tuple(Row(label, tuple(plans)) for label, plans in planned.items())


def _text(value: object) -> str:
    """Return a value as `--set` takes it."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
