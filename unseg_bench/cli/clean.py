"""`ubench clean`: free what can be made again."""

from typing import Annotated

import typer

from unseg_bench.cli.app import app, examples
from unseg_bench.console.streams import new_table, say, stdout
from unseg_bench.words import bytes_text, count_text

KIND_NAMES = "partial, stages, prepared, phantom"


@app.command(
    rich_help_panel="This machine",
    epilog=examples(
        ("ubench clean", "Say what would be freed, then ask."),
        ("ubench clean stages --older-than 30", "Only results of stages unchanged for a month."),
        ("ubench clean --yes", "Without asking, for scripts."),
    ),
)
def clean(
    kinds: Annotated[
        list[str] | None,
        typer.Argument(metavar="KIND", help=f"Of {KIND_NAMES}. Default: all.", show_default=False),
    ] = None,
    older_than: Annotated[
        float, typer.Option(min=0, metavar="DAYS", help="Only what was last changed so many days ago.")
    ] = 0.0,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Free cached results and images. Runs, their maps included, and weights stay.

    Everything that is freed is made again when it is needed; results do not change by it.
    """
    from unseg_bench.cli.leftovers import KINDS, find_entries, remove, total
    from unseg_bench.data.paths import cache_dir

    _check_kinds(kinds or [])
    cache = cache_dir()
    chosen = [kind for kind in KINDS if not kinds or kind.name in kinds]
    found = {kind: find_entries(cache, kind, older_than) for kind in chosen}
    everything = [entry for entries in found.values() for entry in entries]
    say(f"cache  {cache}")
    if not everything:
        say("nothing to free")
        return
    table = new_table("kind", "number", "size", "what it is", right=("number", "size"))
    for kind, entries in found.items():
        table.add_row(kind.name, str(len(entries)), bytes_text(total(entries)), kind.what)
    stdout().print(table)
    if not yes and not typer.confirm(f"Free {bytes_text(total(everything))}?"):
        say("nothing was freed")
        return
    freed, busy = remove(everything)
    say(f"freed {bytes_text(freed)}")
    if busy:
        say(f"left {count_text(len(busy), 'stage')} that a process is at work on, e.g. {busy[0].name}")


def _check_kinds(kinds: list[str]) -> None:
    from unseg_bench.cli.leftovers import KINDS
    from unseg_bench.errors import SettingsError
    from unseg_bench.plugins.names import did_you_mean

    known = [kind.name for kind in KINDS]
    for name in kinds:
        if name not in known:
            raise SettingsError(f"unknown kind '{name}'.{did_you_mean(name, known)}")
