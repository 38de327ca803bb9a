"""`ubench weights`: pretrained weights by name, where they are, and how they get there."""

from dataclasses import asdict
from typing import Annotated

import typer

from unseg_bench.cli.app import app, examples
from unseg_bench.cli.options import AsJson
from unseg_bench.console.streams import new_table, path_text, print_json, say, stdout
from unseg_bench.words import bytes_text

weights = typer.Typer(
    epilog=examples(
        ("ubench weights", "Which there are, and which are here."),
        ("ubench weights download sam-vit-b", "Fetch and check."),
    )
)
app.add_typer(weights, name="weights", rich_help_panel="What there is")


@weights.callback(invoke_without_command=True)
def group(context: typer.Context) -> None:
    """List pretrained weights, or download them."""
    if context.invoked_subcommand is None:
        list_all()


@weights.command("list", epilog=examples(("ubench weights list --json", "With addresses, digests and licences.")))
def list_all(as_json: AsJson = False) -> None:
    """List all weights that have a name: size, licence, where they are or belong."""
    from unseg_bench.blocks.weights import list_weights
    from unseg_bench.console.plain import styled

    known = list_weights()
    if as_json:
        print_json([{**asdict(one.entry), "path": one.path, "present": one.present} for one in known])
        return
    table = new_table("weights", "here", "size", "licence", "SHA-256", right=("size",))
    for status in known:
        entry = status.entry
        size = bytes_text(entry.bytes) if entry.bytes else "?"
        here = styled(("yes", "green")) if status.present else "no"
        digest = entry.sha256[:16] if entry.sha256 else "at first use"
        table.add_row(entry.name, here, size, entry.licence, digest)
    stdout().print(table)
    for folder in dict.fromkeys(status.path.parent for status in known):
        say(f"in {folder}")


@weights.command(
    epilog=examples(("ubench weights download sam-vit-b", "Fetch SAM ViT-B into the cache and check its SHA-256."))
)
def download(
    names: Annotated[list[str], typer.Argument(metavar="NAME", help="Names that `ubench weights` lists.")],
) -> None:
    """Download weights and check them; what is here already is only checked."""
    from unseg_bench.blocks.weights import known_weights, resolve
    from unseg_bench.errors import WeightsError
    from unseg_bench.plugins.names import did_you_mean

    known = known_weights()
    for name in names:
        if name not in known:
            raise WeightsError(f"unknown weights '{name}'.{did_you_mean(name, known)}")
    for name in names:
        file = resolve(name)
        say(f"{name}  {path_text(file.path)}  SHA-256 {file.sha256}")
