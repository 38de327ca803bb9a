"""`ubench sweep`: one option of a method at several values, a line of runs and a table an option."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unseg_bench.cli.ablate import OneMethod, TableFiles
from unseg_bench.cli.app import app, examples
from unseg_bench.cli.compare_options import OUTPUT, Missing, MissingRule
from unseg_bench.cli.data_options import (
    AllowMissing,
    Channel,
    DataDir,
    DatasetName,
    HealthyGlob,
    ImageGlob,
    MoreOptions,
    ReferenceGlob,
    SplitText,
    TumourLabels,
    dataset_options,
)
from unseg_bench.cli.run_options import (
    Assignments,
    Config,
    Deterministic,
    Device,
    DryRun,
    Force,
    Limit,
    Offline,
    Part,
    Preset,
    RunAsJson,
    Sealed,
    Seeds,
    Strict,
)
from unseg_bench.cli.text import RunsFolder, path_text, print_json, warn
from unseg_bench.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from unseg_bench.cli.running import Outcome
    from unseg_bench.compare.comparison import Comparison
    from unseg_bench.compare.inputs import RunScores
    from unseg_bench.run.variants import Variation


@app.command(
    rich_help_panel="Run and compare",
    epilog=examples(
        ("ubench sweep clisc --over amda.alpha=0,10,20,30", "Four runs, one table."),
        ("ubench sweep clisc --over amda.alpha=0,20 --over s3f.beta=0,20 --dry-run", "Two lines; what would be done."),
        ("ubench sweep threshold --over cut=1,1.5,2 --figure cut.svg", "The curve as a figure."),
    ),
)
def sweep(
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
    dataset: DatasetName = None,
    data: DataDir = None,
    image: ImageGlob = None,
    reference: ReferenceGlob = None,
    tumour_labels: TumourLabels = None,
    healthy: HealthyGlob = None,
    channel: Channel = None,
    split: SplitText = None,
    allow_missing: AllowMissing = None,
    dataset_option: MoreOptions = None,
    part: Part = None,
    limit: Limit = None,
    preset: Preset = None,
    assignments: Assignments = None,
    seed: Seeds = None,
    config: Config = None,
    device: Device = None,
    offline: Offline = None,
    sealed: Sealed = None,
    deterministic: Deterministic = None,
    runs: RunsFolder = Path("runs"),
    force: Force = False,
    strict: Strict = False,
    dry_run: DryRun = False,
    missing: MissingRule = Missing.REFUSE,
    figure: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Draw DSC against the option: .svg, .pdf, .png; of several options, one file each.",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    out: TableFiles = None,
    as_json: RunAsJson = False,
) -> None:
    """Run a method with one option at several values, and show a table an option.

    Runs and stages that lines share are computed once. With several options, their names go into those of files.
    """
    from unseg_bench.cli.plugins import plugins_with_warnings
    from unseg_bench.cli.run_settings import settings_of
    from unseg_bench.cli.running import attempt_all, check_device, exit_code
    from unseg_bench.cli.variations import show_variations
    from unseg_bench.report.exports import check_path
    from unseg_bench.run.variants import parse_sweeps, plan_sweeps, unique_plans

    for path in out or []:
        check_path(path)
    lines = parse_sweeps(over)
    if figure is not None:
        _check_figure(figure, lines)
    settings = settings_of(
        config,
        methods=[method],
        dataset=dataset,
        dataset_options=dataset_options(
            dataset_option,
            data=data,
            image=image,
            reference=reference,
            tumour_labels=tumour_labels,
            healthy=healthy,
            channel=channel,
            split=split,
            allow_missing=allow_missing,
        ),
        preset=preset,
        assignments=assignments or [],
        seed=seed,
        device=device,
        part=part,
        limit=limit,
        offline=offline,
        sealed=sealed,
        deterministic=deterministic,
    )
    plugins = plugins_with_warnings()
    planned = plan_sweeps(settings, lines, plugins, runs)
    check_device(settings)
    if dry_run:
        show_variations(planned, as_json=as_json)
        return
    plans = unique_plans(row for line in planned for row in line.rows)
    outcomes = attempt_all(plans, force=force, strict=strict)
    _show(planned, outcomes, _Output(missing, tuple(out or ()), figure, as_json=as_json))
    raise typer.Exit(exit_code(outcomes))


@dataclass(frozen=True, slots=True)
class _Output:
    """What becomes of the tables."""

    missing: Missing
    files: tuple[Path, ...]
    figure: Path | None
    as_json: bool


def _show(planned: "list[Variation]", outcomes: "list[Outcome]", output: _Output) -> None:
    """Print a table an option, write tables and figures where asked, or print it all as JSON."""
    from unseg_bench.cli.compare_options import compare_settings, statistics_settings
    from unseg_bench.cli.variations import compare_rows, outcomes_to_dict, print_table
    from unseg_bench.report.exports import write

    several, told = len(planned) > 1, []
    statistics = statistics_settings(None, None, None) if output.files else None
    settings = compare_settings(missing=output.missing, statistics=statistics)
    for line in planned:
        found = compare_rows(line.rows, settings, outcomes)
        table = None if found is None else found[1].to_dict()
        told.append({"over": line.name, "rows": outcomes_to_dict(line.rows, outcomes), "comparison": table})
        if found is None:
            continue
        scores, comparison = found
        if not output.as_json:
            print_table(comparison, line.title, None)
        written = [_named(path, line.name, several=several) for path in output.files]
        for path in written:
            write(comparison, path)
        if output.figure is not None:
            written.append(_named(output.figure, line.name, several=several))
            _draw(comparison, scores, line.name, written[-1])
        for path in written:
            warn(f"wrote {path_text(path)}")
    if output.as_json:
        print_json({"sweeps": told})


def _named(path: Path, option: str, *, several: bool) -> Path:
    """Return 'sweep-amda.alpha.svg' for 'sweep.svg' where there are several options."""
    stem, dot, suffix = path.name.partition(".")
    return path.with_name(f"{stem}-{option}{dot}{suffix}") if several else path


def _check_figure(path: Path, lines: "Mapping[str, Sequence[Any]]") -> None:
    """Raise SettingsError, before anything is run, for a figure that could not be drawn."""
    from unseg_bench.report.figures.names import FileFormat

    formats = [f".{name}" for name in FileFormat]
    if path.suffix not in formats:
        raise SettingsError(f"--figure {path}: what kind of file is this? Known endings: {', '.join(formats)}")
    for option, values in lines.items():
        numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
        if len(numbers) < len(values) or len(values) < 2:
            raise SettingsError(f"--figure {path}: a curve over {option} needs two numbers or more and nothing else")


def _draw(comparison: "Comparison", scores: "list[RunScores]", option: str, path: Path) -> None:
    from unseg_bench.report.figures.kinds import FigureSettings
    from unseg_bench.report.figures.names import FigureName
    from unseg_bench.report.figures.registry import FIGURES
    from unseg_bench.report.figures.write import write_figure

    figure = FIGURES[FigureName.SWEEP].draw(comparison, FigureSettings(runs=scores, over=option))
    write_figure(figure, path)
