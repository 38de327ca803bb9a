"""`ubench run`: methods on data, one run after the other."""

from pathlib import Path
from typing import Annotated

import typer

from unseg_bench.cli.app import app, examples
from unseg_bench.cli.complete import complete_method
from unseg_bench.cli.data_options import (
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
from unseg_bench.cli.text import RunsFolder

OPTIONS, MACHINE = "Options of the methods", "Machine and output"


@app.command(
    rich_help_panel="Run and compare",
    epilog=examples(
        ("ubench run clisc", "CLISC in small, on the embedded phantom cohort."),
        ("ubench run clisc threshold --seed 0,1,2", "Two methods, three seeds each."),
        ("ubench run clisc --set s3f.beta=10 --dry-run", "What would be done with another option."),
        (
            "ubench run ./mine.py --data DIR --image '*/flair.nii.gz' --reference '*/seg.nii.gz'",
            "A method of your own on images of your own.",
        ),
        ("ubench run clisc -d brats2020 --data DIR", "BraTS2020 with the published split."),
    ),
)
def run(
    methods: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="METHOD",
            help="Names (`ubench methods`) or Python files.",
            autocompletion=complete_method,
            show_default=False,
        ),
    ] = None,
    dataset: DatasetName = None,
    data: DataDir = None,
    image: ImageGlob = None,
    reference: ReferenceGlob = None,
    tumour_labels: TumourLabels = None,
    healthy: HealthyGlob = None,
    channel: Channel = None,
    split: SplitText = None,
    dataset_option: MoreOptions = None,
    part: Annotated[
        str | None,
        typer.Option(metavar="PART", help="Part of the split to segment. Default: test.", rich_help_panel="Data"),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Segment the first N cases only.", rich_help_panel="Data")
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Named set of options. Default: demo on the phantom, paper elsewhere.",
            rich_help_panel=OPTIONS,
        ),
    ] = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="K=V",
            help="One option, e.g. amda.alpha=30, or clisc:amda.alpha=30 for one of several methods; repeatable.",
            rich_help_panel=OPTIONS,
        ),
    ] = None,
    seed: Annotated[
        str | None, typer.Option(metavar="0,1,2", help="Seeds, one run each. Default: 0.", rich_help_panel=OPTIONS)
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Settings in YAML, TOML or JSON, or a run.json; the command line comes before it.",
            rich_help_panel=OPTIONS,
        ),
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(metavar="auto|cpu|cuda", help="Default: auto, a GPU where there is one.", rich_help_panel=MACHINE),
    ] = None,
    offline: Annotated[
        bool | None, typer.Option("--offline", help="Never touch the network.", rich_help_panel=MACHINE)
    ] = None,
    runs: RunsFolder = Path("runs"),
    force: Annotated[
        bool, typer.Option("--force", help="Do everything again, also what is done.", rich_help_panel=MACHINE)
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything, say what would be done.", rich_help_panel=MACHINE)
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="JSON on stdout; progress goes to stderr.", rich_help_panel=MACHINE)
    ] = False,
) -> None:
    """Run methods on a data set, score them, and show where things are.

    The same command goes on where it stopped; a complete run is shown at once.
    """
    from unseg_bench.cli.run_settings import settings_of
    from unseg_bench.cli.running import plan_all, run_all, show_plans

    settings = settings_of(
        config,
        methods=methods or None,
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
        ),
        preset=preset,
        assignments=assignments or [],
        seed=seed,
        device=device,
        part=part,
        limit=limit,
        offline=offline,
    )
    plans, plugins = plan_all(settings, runs)
    if dry_run:
        show_plans(plans, as_json=as_json)
        return
    raise typer.Exit(run_all(plans, plugins, runs, force=force, as_json=as_json))
