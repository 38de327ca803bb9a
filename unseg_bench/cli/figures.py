"""`ubench figures`: the figures of a paper from many runs."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from unseg_bench.cli.app import app, examples
from unseg_bench.cli.options import AsJson, RunsFolder, grouped
from unseg_bench.cli.table_options import OUTPUT, EmptyRule, GroupOptions, Reference, Selectors
from unseg_bench.console.streams import path_text, print_json, say, warn
from unseg_bench.report.figures.names import NEED_STATISTICS, FigureName, FileFormat

if TYPE_CHECKING:
    from unseg_bench.compare.comparison import Comparison
    from unseg_bench.report.figures.write import Written

_EXAMPLES, _SWEEP = "The figure 'examples'", "The figure 'sweep'"
Width = Literal["single", "double"]
"""How wide a figure is printed: one column of a journal (85 mm) or two (180 mm)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawingOptions:
    """Which figures are drawn, and how."""

    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the files go.", rich_help_panel=OUTPUT)] = (
        Path("figures")
    )
    only: Annotated[
        list[FigureName] | None,
        typer.Option(
            "--only", help="A figure; may be given again. Default: all that can be drawn.", show_default=False
        ),
    ] = None
    file_format: Annotated[
        list[FileFormat] | None,
        typer.Option(
            "--format", help="May be given again. Default: svg and pdf.", show_default=False, rich_help_panel=OUTPUT
        ),
    ] = None
    width: Annotated[Width, typer.Option(help="Printed width: 85 or 180 mm.", rich_help_panel=OUTPUT)] = "double"
    case: Annotated[
        str | None,
        typer.Option(metavar="ID", help="This case, not a small, a medium and a large one.", rich_help_panel=_EXAMPLES),
    ] = None
    slice_index: Annotated[
        int | None,
        typer.Option(
            "--slice",
            min=0,
            metavar="N",
            help="This axial slice, from 0 at the bottom, not that with most tumour.",
            rich_help_panel=_EXAMPLES,
        ),
    ] = None
    data: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where the images are now, if they moved.", rich_help_panel=_EXAMPLES),
    ] = None
    over: Annotated[
        str | None,
        typer.Option(metavar="OPTION", help="The option along the axis, as in --set.", rich_help_panel=_SWEEP),
    ] = None


@app.command(
    rich_help_panel="Run and compare",
    epilog=examples(
        ("ubench figures --out figures", "All that can be drawn, as SVG and PDF."),
        ("ubench figures clisc threshold --only dsc-by-size --width single", "One figure for one column."),
        ("ubench figures runs/phantom/clisc-* --only sweep --over amda.alpha", "A sweep over an option."),
    ),
)
@grouped
def figures(
    *,
    selectors: Selectors = None,
    drawing: DrawingOptions,
    groups: GroupOptions,
    empty: EmptyRule = "diagonal",
    reference: Reference = None,
    runs: RunsFolder = Path("runs"),
    as_json: AsJson = False,
) -> None:
    """Draw the figures of a paper: vector files, the same bytes each time, legible in print and in grey."""
    from unseg_bench import api
    from unseg_bench.report.figures.kinds import FigureSettings
    from unseg_bench.report.figures.style import DOUBLE_MM, SINGLE_MM
    from unseg_bench.report.figures.write import write_figures

    compared = api.compare(
        *(selectors or ()),
        runs=runs,
        empty=empty,
        statistics=not drawing.only or not NEED_STATISTICS.isdisjoint(drawing.only),
        reference=reference,
        **groups.given,
    )
    wanted = FigureSettings(
        width_mm=SINGLE_MM if drawing.width == "single" else DOUBLE_MM,
        runs=compared.runs,
        data=drawing.data,
        case=drawing.case,
        slice_index=drawing.slice_index,
        over=drawing.over,
    )
    formats = drawing.file_format or (FileFormat.SVG, FileFormat.PDF)
    written = write_figures(compared.comparison, wanted, drawing.out, drawing.only or (), formats)
    _print(written, compared.comparison, as_json=as_json)


def _print(written: "Written", comparison: "Comparison", *, as_json: bool) -> None:
    """Print the files to stdout and why others are not there to stderr, or all of it as JSON."""
    if as_json:
        print_json(
            {
                "figures": [
                    {
                        "name": str(kind.name),
                        "title": kind.title,
                        "caption": kind.caption(comparison),
                        "files": [str(path) for path in files],
                    }
                    for kind, files in written.figures
                ],
                "not_drawn": written.not_drawn,
            }
        )
        return
    for _, files in written.figures:
        for path in files:
            say(path_text(path))
    for name, reason in written.not_drawn.items():
        warn(f"not drawn: {name}: {reason.removeprefix(f'{name}: ')}")
