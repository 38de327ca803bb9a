"""`ubench ablate`: a study that a method names, from its runs to its table."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unseg_bench.cli.app import app, examples
from unseg_bench.cli.compare_options import OUTPUT, Missing, MissingRule
from unseg_bench.cli.complete import complete_method
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

if TYPE_CHECKING:
    from unseg_bench.cli.running import Outcome
    from unseg_bench.run.variants import Variation

OneMethod = Annotated[
    str,
    typer.Argument(
        metavar="METHOD",
        help="A name (`ubench methods`) or a Python file.",
        autocompletion=complete_method,
        show_default=False,
    ),
]
TableFiles = Annotated[
    list[Path] | None,
    typer.Option(
        "--out",
        "-o",
        metavar="FILE",
        help="Write the table, with statistics: .md, .tex, .html, .json; every case: .csv, .parquet, "
        ".challenger.csv. A study's rows are tested against its last. Repeatable.",
        rich_help_panel=OUTPUT,
    ),
]


@app.command(
    rich_help_panel="Run and compare",
    epilog=examples(
        ("ubench ablate clisc", "Its first study, on the phantom: runs, scores, one table."),
        ("ubench ablate clisc --study table2 --dry-run", "Which stages are kept, which are to do, for how long."),
        ("ubench ablate clisc --seed 0,1,2 --out table2.tex", "Three seeds a row, and the table for a paper."),
        ("ubench ablate ./mine.py --data DIR --set level=2", "A method of your own; --set holds for every row."),
    ),
)
def ablate(
    method: OneMethod,
    study: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Which study (`ubench methods METHOD`). Default: the method's first."),
    ] = None,
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
    out: TableFiles = None,
    as_json: RunAsJson = False,
) -> None:
    """Run a study of a method, one run a row, and show it as one table.

    Stages that rows share are computed once; the same command goes on where it stopped.
    """
    from unseg_bench.cli.plugins import plugins_with_warnings
    from unseg_bench.cli.run_settings import settings_of
    from unseg_bench.cli.running import attempt_all, check_device, exit_code
    from unseg_bench.cli.variations import show_variations
    from unseg_bench.report.exports import check_path
    from unseg_bench.run.variants import plan_study, unique_plans

    for path in out or []:
        check_path(path)
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
    planned = plan_study(settings, study, plugins, runs)
    check_device(settings)
    if dry_run:
        show_variations([planned], as_json=as_json)
        return
    outcomes = attempt_all(unique_plans(planned.rows), force=force, strict=strict)
    _show(planned, outcomes, missing, out or [], as_json=as_json)
    raise typer.Exit(exit_code(outcomes))


def _show(
    planned: "Variation", outcomes: "list[Outcome]", missing: Missing, files: list[Path], *, as_json: bool
) -> None:
    """Print the study's table, write it where asked, or print it as JSON."""
    from unseg_bench.cli.compare_options import compare_settings, statistics_settings
    from unseg_bench.cli.variations import compare_rows, outcomes_to_dict, print_table, scored_rows
    from unseg_bench.report.exports import write

    last = planned.rows[-1]
    against = last.label if last in scored_rows(planned.rows) else None
    statistics = statistics_settings(against, None, None) if files else None
    found = compare_rows(planned.rows, compare_settings(missing=missing, statistics=statistics), outcomes)
    comparison = None if found is None else found[1]
    if comparison is not None:
        for path in files:
            write(comparison, path)
    if as_json:
        rows = outcomes_to_dict(planned.rows, outcomes)
        table = None if comparison is None else comparison.to_dict()
        print_json({"study": planned.name, "title": planned.title, "rows": rows, "comparison": table})
    elif comparison is not None:
        print_table(comparison, planned.title, last.label)
    for path in files if comparison is not None else []:
        warn(f"wrote {path_text(path)}")
