"""`ubench new-method`: a method in one file, and its test, ready to be changed."""

from pathlib import Path
from typing import Annotated

import typer

from unseg_bench.cli.app import app, examples
from unseg_bench.console.streams import path_text, say, shell_text


@app.command(
    "new-method",
    rich_help_panel="Write a method",
    epilog=examples(
        ("ubench new-method my-method", "Writes my_method.py and test_my_method.py here."),
        ("ubench run ./my_method.py threshold", "Runs it beside another method."),
    ),
)
def new_method(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Name of the method in tables, e.g. my-method.", show_default=False)
    ],
    folder: Annotated[Path, typer.Option(metavar="DIR", help="Where to write the two files.")] = Path(),
) -> None:
    """Write a method that works, in one file, and its test; existing files are never overwritten."""
    from unseg_bench.cli.method_template import write_method

    written = write_method(name, folder)
    for path in written:
        say(f"wrote {path_text(path)}")
    path = shell_text(written[0])
    shown = path if "/" in path else f"./{path}"
    say(f"next  ubench check {shown}")
    say(f"      ubench run {shown} threshold")
