"""`ubench thresholds`: what a run's thresholds earn, and where they lie on the curve."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unseg_bench.cli.app import app, examples
from unseg_bench.cli.options import AsJson, RunsFolder
from unseg_bench.cli.selector import RunSelector, find_run
from unseg_bench.console.streams import new_table, path_text, print_json, say, stdout, warn
from unseg_bench.words import count_text

if TYPE_CHECKING:
    from unseg_bench.score.thresholds import RunThresholds


@app.command(
    rich_help_panel="Run and compare",
    epilog=examples(
        ("ubench thresholds amcons", "The thresholds of a method's newest run, and what each earns."),
        ("ubench thresholds amcons --output curve.svg", "DSC against the threshold, for a run with --keep-maps."),
    ),
)
def thresholds(
    selector: RunSelector,
    output: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE", help="Draw the curve: .svg, .pdf or .png; may be given again.", show_default=False
        ),
    ] = None,
    data: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where the images are now, if they moved.", show_default=False)
    ] = None,
    runs: RunsFolder = Path("runs"),
    as_json: AsJson = False,
) -> None:
    """Show a run's thresholds, those found without labels and others: what each earns, and the curve of kept maps.

    The curve's best threshold is known only with the references; it is shown to tell how far a choice is from it.
    """
    from unseg_bench.report.case_images import open_dataset
    from unseg_bench.report.figures.names import check_ending
    from unseg_bench.score.thresholds import has_maps, read_thresholds, with_curve

    for path in output or []:
        check_ending("--output", path)
    run = find_run(selector, runs)
    found = read_thresholds(run)
    if has_maps(run) or output:
        found = with_curve(found, open_dataset(run, data))
    for path in output or []:
        _draw(found, path)
    if as_json:
        print_json(_facts(found, output or []))
    else:
        _print(found)


def _draw(found: "RunThresholds", path: Path) -> None:
    from unseg_bench.report.figures.threshold_curve import draw_thresholds
    from unseg_bench.report.figures.write import write_figure

    write_figure(draw_thresholds(found), path)
    warn(f"wrote {path_text(path)}")


def _facts(found: "RunThresholds", files: list[Path]) -> dict[str, Any]:
    from dataclasses import asdict

    record, curve = found.record, found.curve
    facts: dict[str, Any] = {
        "run": str(found.run),
        **{name: record.get(name) for name in ("method", "dataset", "split", "part", "evidence")},
        "thresholds": [asdict(row) for row in found.rows],
        "curve": None,
        "notes": found.notes,
        "files": files,
    }
    if curve is not None:
        low, high = curve.quartiles
        threshold, dsc = curve.oracle
        facts["curve"] = {
            "cases": len(curve.cases),
            "threshold": curve.thresholds.tolist(),
            "dsc": curve.mean.tolist(),
            "dsc_quartile_1": low.tolist(),
            "dsc_quartile_3": high.tolist(),
            "oracle": {"threshold": threshold, "dsc": dsc},
        }
    return facts


def _print(found: "RunThresholds") -> None:
    from unseg_bench.run.folder import RunFolder
    from unseg_bench.score.thresholds import how_to_keep

    record = found.record
    cases = count_text(max((row.cases for row in found.rows), default=0), "case")
    stdout().print(
        f"{record['method']} on {record['dataset']}, split {record['split']}, {record['part']}: {cases}", style="bold"
    )
    _print_table(found)
    say()
    for note in found.notes:
        say(f"  {note}")
    if not record.get("evidence", True):
        say("  phantom figures are no evidence about the real methods")
    if found.curve is None:
        say(f"  no maps were kept, so there is no curve; {how_to_keep(RunFolder(found.run))}")


def _print_table(found: "RunThresholds") -> None:
    from unseg_bench.console.plain import styled

    table = new_table(
        "threshold",
        "value",
        "normal above",
        "DSC %",
        "HD95 mm",
        "found",
        "",
        right=("value", "normal above", "DSC %", "HD95 mm"),
    )
    for row in found.rows:
        table.add_row(
            row.name,
            "each case's own" if row.value is None else f"{row.value:.4g}",
            "" if row.normal_share is None else f"{100 * row.normal_share:.2f} %",
            "not scored" if row.dsc is None else f"{100 * row.dsc:.2f}",
            "" if row.hd95_mm is None else f"{row.hd95_mm:.2f}",
            "with labels" if row.labels else "label-free",
            "the answer" if row.chosen else "",
        )
    if found.curve is not None:
        threshold, dsc = found.curve.oracle
        table.add_row(styled(("curve's maximum", "dim")), f"{threshold:.4g}", "", f"{100 * dsc:.2f}", "", "oracle", "")
    stdout().print(table)
