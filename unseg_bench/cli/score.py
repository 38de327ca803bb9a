"""`ubench score`: predictions made elsewhere become a run."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unseg_bench.cli.app import app, examples
from unseg_bench.cli.options import AsJson, DataOptions, Part, RunsFolder, grouped, under
from unseg_bench.console.streams import new_table, path_text, print_json, runs_option, say, stdout, warn
from unseg_bench.words import count_text, first_of

if TYPE_CHECKING:
    from unseg_bench.score.elsewhere import ScoredElsewhere

FILES = "Predictions"


@under(FILES)
@dataclass(frozen=True, slots=True, kw_only=True)
class FilesOptions:
    """How the files are read, and what is known of them."""

    name: Annotated[str, typer.Option("--as", metavar="NAME", help="Name of the row in tables.")]
    pattern: Annotated[
        str | None,
        typer.Option(metavar="GLOB", help="File names, where '*' or '{case}' is the case id: 'pred_*.nii.gz'."),
    ] = None
    labels: Annotated[
        str | None,
        typer.Option(metavar="1,2,4", help="Values in the predictions that are tumour. Default: all above 0."),
    ] = None
    threshold: Annotated[float | None, typer.Option(metavar="P", help="For probabilities: tumour is above it.")] = None
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="Seed they were made with; seeds are averaged.")] = 0
    label_use: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT", help="What the makers say of labels; kept in the record, never in the measured column."
        ),
    ] = None


@app.command(
    rich_help_panel="Run and compare",
    epilog=examples(
        ("ubench score nnunet_out --as nnunet -d brats2020 --data DIR", "Masks named by case, on BraTS2020."),
        ("ubench score out --as mine --pattern 'pred_*.nii.gz' --labels 1,2,4", "Names and labels of your own."),
    ),
)
@grouped
def score(
    *,
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Masks as .nii or .nii.gz, one a case.", show_default=False)
    ],
    files: FilesOptions,
    data: DataOptions,
    part: Part = None,
    runs: RunsFolder = Path("runs"),
    as_json: AsJson = False,
) -> None:
    """Score predictions that were made elsewhere; they then stand in every table.

    Files are <case>.nii.gz, <case>_anything, anything_<case>, or one in a folder <case>.
    """
    from unseg_bench import api

    options = data.files.given
    scored = api.score(
        folder,
        files.name,
        pattern=files.pattern,
        labels=_numbers(files.labels),
        threshold=files.threshold,
        allow_missing=options.pop("allow_missing", False),
        label_use=files.label_use,
        seed=files.seed,
        runs=runs,
        dataset=data.dataset,
        dataset_options=options,
        part=part,
    )
    _print_notes(scored)
    if as_json:
        print_json(_facts(scored))
    else:
        _print(scored, runs)


def _numbers(text: str | None) -> tuple[int, ...] | None:
    from unseg_bench.errors import SettingsError

    if text is None:
        return None
    try:
        numbers = tuple(sorted({int(part) for part in text.split(",")}))
    except ValueError:
        numbers = ()
    if not numbers or min(numbers) < 1:
        raise SettingsError(f"--labels {text}: expected whole numbers above 0 with commas, e.g. --labels 1,2,4")
    return numbers


def _print_notes(scored: "ScoredElsewhere") -> None:
    """Say on stderr what was not scored, and whether anything was."""
    from unseg_bench.score.doubts import remarks

    if scored.known:
        warn("  these files were scored under this name before; nothing is computed again")
    matching = scored.matching
    if matching.missing:
        warn(f"  missing: {count_text(len(matching.missing), 'case')} ({first_of(matching.missing)})")
    for paths, what in ((matching.strangers, "of no case"), (matching.other_parts, "of other parts")):
        if paths:
            names = first_of([path_text(path) for path in paths])
            warn(f"  left out: {count_text(len(paths), 'file')} {what} ({names})")
    for remark in remarks(scored.run):
        warn(f"  Warning: {remark}")


def _facts(scored: "ScoredElsewhere") -> dict[str, Any]:
    from unseg_bench.score.doubts import remarks
    from unseg_bench.score.record import default_means

    run, record = scored.run, scored.run.record
    return {
        "run": str(run.path),
        **{name: record[name] for name in ("state", "method", "seed", "dataset", "split", "part", "evidence")},
        "made_elsewhere": True,
        "scored_before": scored.known,
        "cases": len(scored.scores),
        "missing": list(scored.matching.missing),
        "without_reference": record.get("without_reference", []),
        "remarks": remarks(run),
        "left_out": [str(path) for path in (*scored.matching.strangers, *scored.matching.other_parts)],
        **default_means(scored.scores),
        "scores": str(run.scores),
    }


def _print(scored: "ScoredElsewhere", runs: Path) -> None:
    from unseg_bench.cli.summary import score_texts

    record = scored.run.record
    from unseg_bench.console.plain import styled

    table = new_table("method", "seed", "cases", "DSC %", "HD95 mm", right=("seed", "cases"))
    row = (str(record["seed"]), str(len(scored.scores)), *score_texts(scored.scores))
    table.add_row(styled(record["method"], (" (made elsewhere)", "dim")), *row)
    say()
    stdout().print(f"{record['dataset']}, split {record['split']}, {record['part']}", style="bold")
    stdout().print(table)
    say()
    say(f"scores  {path_text(scored.run.scores)}")
    say(f"next    ubench compare{runs_option(runs)}")
