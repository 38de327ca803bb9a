"""The options of `ubench run` that do not name data."""

from pathlib import Path
from typing import Annotated

import typer

from unseg_bench.cli.complete import complete_method
from unseg_bench.cli.data_options import PANEL as DATA

OPTIONS, MACHINE = "Options of the methods", "Machine and output"

Methods = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="METHOD",
        help="Names (`ubench methods`) or Python files.",
        autocompletion=complete_method,
        show_default=False,
    ),
]
Part = Annotated[
    str | None,
    typer.Option(metavar="PART", help="Part of the split to segment. Default: test.", rich_help_panel=DATA),
]
Limit = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="Segment the first N cases only.", rich_help_panel=DATA)
]
Preset = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Named set of options. Default: demo on the phantom, paper elsewhere.",
        rich_help_panel=OPTIONS,
    ),
]
Assignments = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="K=V",
        help="One option, e.g. amda.alpha=30, or clisc:amda.alpha=30 for one of several methods; repeatable.",
        rich_help_panel=OPTIONS,
    ),
]
Seeds = Annotated[
    str | None, typer.Option(metavar="0,1,2", help="Seeds, one run each. Default: 0.", rich_help_panel=OPTIONS)
]
Config = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Settings in YAML, TOML or JSON, or a run.json; the command line comes before it.",
        rich_help_panel=OPTIONS,
    ),
]
Device = Annotated[
    str | None,
    typer.Option(metavar="auto|cpu|cuda", help="Default: auto, a GPU where there is one.", rich_help_panel=MACHINE),
]
Offline = Annotated[bool | None, typer.Option("--offline", help="Never touch the network.", rich_help_panel=MACHINE)]
Deterministic = Annotated[
    bool | None,
    typer.Option("--deterministic", help="The same bits on a GPU too, or an error.", rich_help_panel=MACHINE),
]
Sealed = Annotated[
    str | None,
    typer.Option(
        metavar="auto|required|off",
        help="Keep methods from the references by the kernel. Default: auto, where it can.",
        rich_help_panel=MACHINE,
    ),
]
KeepMaps = Annotated[
    bool | None,
    typer.Option(
        "--keep-maps",
        help="Keep the maps that masks are cut from, where the method hands them over.",
        rich_help_panel=MACHINE,
    ),
]
Force = Annotated[
    bool, typer.Option("--force", help="Do everything again, also what is done.", rich_help_panel=MACHINE)
]
Strict = Annotated[
    bool,
    typer.Option("--strict", help="End at the first case that fails; else the others go on.", rich_help_panel=MACHINE),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Check everything, say what would be done.", rich_help_panel=MACHINE)
]
RunAsJson = Annotated[
    bool, typer.Option("--json", help="JSON on stdout; progress goes to stderr.", rich_help_panel=MACHINE)
]
