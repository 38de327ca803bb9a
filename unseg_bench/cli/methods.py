"""`ubench methods`: which there are, and what each can be told."""

from textwrap import wrap
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unseg_bench.cli.app import app, examples
from unseg_bench.cli.describe import print_options, value_text
from unseg_bench.cli.options import AsJson, complete_method
from unseg_bench.console.plugins import plugins_with_warnings
from unseg_bench.console.streams import new_table, print_json, say, stdout

if TYPE_CHECKING:
    from unseg_bench.plugins.manager import Plugins
    from unseg_bench.plugins.method_facts import MethodFacts

WIDTH = 80
"""Of the lines that a preset is told in."""


@app.command(
    rich_help_panel="What there is",
    epilog=examples(
        ("ubench methods", "All methods."),
        ("ubench methods clisc", "One method: options, defaults, presets, studies."),
        ("ubench methods ./mine.py", "The method in a file."),
    ),
)
def methods(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME|FILE", autocompletion=complete_method, help="One method.", show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the methods, or all options, presets and studies of one."""
    from unseg_bench.plugins.manager import is_file
    from unseg_bench.plugins.method_facts import method_facts

    plugins = plugins_with_warnings()
    if name is None:
        _list_all(plugins, as_json=as_json)
    elif is_file(name):
        from unseg_bench.run.inspection import facts_of_file

        _show(facts_of_file(name), name, as_json=as_json)
    else:
        method = plugins.method(name)
        _show(method_facts(method), plugins.sources[method.name], as_json=as_json)


def _list_all(plugins: "Plugins", *, as_json: bool) -> None:
    from unseg_bench.plugins.method_facts import method_facts

    known = [(name, method_facts(plugins.methods[name])) for name in sorted(plugins.methods)]
    if as_json:
        print_json([_summary(facts, plugins.sources[name]) for name, facts in known])
        return
    from unseg_bench.console.plain import styled

    table = new_table("method", "labels it reads", "presets", "what it is")
    for _, facts in known:
        kind = " (floor)" if facts.floor else " (ceiling)" if facts.ceiling else ""
        presets = ", ".join(facts.presets) or "default"
        table.add_row(styled(facts.name, (kind, "dim")), facts.supervision, presets, facts.what)
    stdout().print(table)


def _show(facts: "MethodFacts", source: str, *, as_json: bool) -> None:
    from unseg_bench.console.plain import styled

    options = [option.model_dump() for option in facts.options]
    if as_json:
        told = {"supervision_by_preset": facts.supervision_by_preset, "options": options}
        print_json({**_summary(facts, source), **told})
        return
    console = stdout()
    console.print(styled((facts.name, "bold"), f"  {facts.what}"))
    say(f"labels it reads  {facts.supervision}")
    for preset, level in facts.supervision_by_preset.items():
        say(f"                 {level} ({preset})")
    say(f"from             {source}")
    say(f"presets          {', '.join(facts.presets) or 'default'}")
    say()
    print_options(console, options, "--set")
    for preset, differing in facts.differing.items():
        _print_preset(preset, facts.preset_sources.get(preset, ""), differing)
    for name, study in facts.studies.items():
        say(f"\nstudy {name}: {study.title}")
        for row in study.rows:
            say(f"  {row}")


def _print_preset(preset: str, source: str, differing: dict[str, Any]) -> None:
    """Print what a preset takes from where, and the options in which it differs from the defaults."""
    say(f"\npreset {preset}{'' if differing else ': the defaults'}")
    for line in wrap(source, WIDTH - 2):
        say(f"  {line}")
    for option, value in differing.items():
        text = f"{option} = {value_text(value)}"
        for line in wrap(text, WIDTH - 2, subsequent_indent="    ", break_on_hyphens=False):
            say(f"  {line}")


def _summary(facts: "MethodFacts", source: str) -> dict[str, Any]:
    names = ("name", "what", "supervision", "floor", "ceiling", "presets", "preset_sources", "studies")
    return {**facts.model_dump(include=set(names)), "source": source}
