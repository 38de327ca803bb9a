"""`ubench sweep`: one option of a method at several values, a line of runs and a table an option."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unseg_bench.cli.app import app, examples
from unseg_bench.cli.options import AgainOptions, Assignments, CallOptions, OneMethod, Part, WorkOptions, grouped
from unseg_bench.cli.table_options import OUTPUT, TableFiles
from unseg_bench.console.streams import path_text, print_json, warn
from unseg_bench.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from unseg_bench.compare.comparison import Comparison
    from unseg_bench.compare.inputs import RunScores


@app.command(
    rich_help_panel="Run and compare",
    epilog=examples(
        ("ubench sweep clisc --over amda.alpha=0,10,20,30", "Four runs, one table."),
        ("ubench sweep clisc --over amda.alpha=0,20 --over s3f.beta=0,20 --dry-run", "Two lines; what would be done."),
        ("ubench sweep threshold --over cut=1,1.5,2 --figure cut.svg", "The curve as a figure."),
    ),
)
@grouped
def sweep(
    *,
    method: OneMethod,
    over: Annotated[
        list[str],
        typer.Option(
            metavar="K=V,V,...",
            help="An option and its values, read as --set reads them; repeatable: each is a line of its own, the other "
            "options as they are.",
            show_default=False,
        ),
    ],
    call: CallOptions,
    part: Part = None,
    assignments: Assignments = None,
    again: AgainOptions,
    work: WorkOptions,
    tables: TableFiles,
    figure: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Draw DSC against the option: .svg, .pdf, .png; of several options, one file each.",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
) -> None:
    """Run a method with one option at several values, and show a table an option.

    Runs and stages that lines share are computed once. With several options, their names go into those of files.
    """
    from unseg_bench.api import check_device
    from unseg_bench.cli.variations import run_variations, show_variation
    from unseg_bench.console.plugins import plugins_with_warnings
    from unseg_bench.run.variants import parse_sweeps, plan_sweeps

    tables.check()
    lines = parse_sweeps(over)
    if figure is not None:
        _check_figure(figure, lines)
    settings = call.settings([method], part=part, assignments=assignments)
    planned = plan_sweeps(settings, lines, plugins_with_warnings(), work.runs)
    check_device(settings)
    outcomes = run_variations(planned, again, work)
    if outcomes is None:
        return
    told: list[dict[str, Any]] = []
    for line in planned:
        named = partial(_named, option=line.name, several=len(planned) > 1)
        shown = show_variation(line, outcomes, tables, named=named, as_json=work.as_json)
        told.append({"over": line.name, **shown.told})
        if figure is not None and shown.comparison is not None:
            _draw(shown.comparison, shown.scores, line.name, named(figure))
    if work.as_json:
        print_json({"sweeps": told})
    raise typer.Exit(outcomes.exit_code)


def _named(path: Path, option: str, several: bool) -> Path:
    """Return 'sweep-amda.alpha.svg' for 'sweep.svg' where there are several options."""
    stem, dot, suffix = path.name.partition(".")
    return path.with_name(f"{stem}-{option}{dot}{suffix}") if several else path


def _check_figure(path: Path, lines: "Mapping[str, Sequence[Any]]") -> None:
    """Raise SettingsError, before anything is run, for a figure that could not be drawn."""
    from unseg_bench.report.figures.names import check_ending

    check_ending("--figure", path)
    for option, values in lines.items():
        numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
        if len(numbers) < len(values) or len(values) < 2:
            raise SettingsError(f"--figure {path}: a curve over {option} needs two numbers or more and nothing else")


def _draw(comparison: "Comparison", scores: "list[RunScores]", option: str, path: Path) -> None:
    from unseg_bench.report.figures.kinds import FigureSettings
    from unseg_bench.report.figures.sweep import KIND
    from unseg_bench.report.figures.write import write_figure

    write_figure(KIND.draw(comparison, FigureSettings(runs=scores, over=option)), path)
    warn(f"wrote {path_text(path)}")
