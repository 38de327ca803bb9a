"""`ubench run`: methods on data, one run after the other."""

from pathlib import Path

import typer

from unseg_bench.cli.app import app, examples
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
    KeepMaps,
    Limit,
    Methods,
    Offline,
    Part,
    Preset,
    RunAsJson,
    Sealed,
    Seeds,
    Strict,
)
from unseg_bench.cli.text import RunsFolder


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
    methods: Methods = None,
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
    keep_maps: KeepMaps = None,
    runs: RunsFolder = Path("runs"),
    force: Force = False,
    strict: Strict = False,
    dry_run: DryRun = False,
    as_json: RunAsJson = False,
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
        keep_maps=keep_maps,
    )
    plans = plan_all(settings, runs)
    if dry_run:
        show_plans(plans, as_json=as_json)
        return
    raise typer.Exit(run_all(plans, runs, force=force, strict=strict, as_json=as_json))
