"""`ubench methods`: which there are, and what each can be told."""

from textwrap import wrap
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from unseg_bench.cli.app import app, examples
from unseg_bench.cli.complete import complete_method
from unseg_bench.cli.describe import describe_options, first_line, print_options
from unseg_bench.cli.plugins import plugins_with_warnings
from unseg_bench.cli.text import AsJson, new_table, print_json, say, stdout

if TYPE_CHECKING:
    from unseg_bench.plugins.manager import Plugins
    from unseg_bench.plugins.method import Method

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
    plugins = plugins_with_warnings()
    if name is None:
        _list_all(plugins, as_json=as_json)
    else:
        _show(plugins, plugins.method(name), as_json=as_json)


def _list_all(plugins: "Plugins", *, as_json: bool) -> None:
    known = [plugins.methods[name] for name in sorted(plugins.methods)]
    if as_json:
        print_json([_facts(plugins, method) for method in known])
        return
    from unseg_bench.cli.consoles import styled

    table = new_table("method", "labels it reads", "presets", "what it is")
    for method in known:
        kind = " (floor)" if method.floor else " (ceiling)" if method.ceiling else ""
        presets = ", ".join(method.presets) or "default"
        table.add_row(styled(method.name, (kind, "dim")), _supervision(method), presets, first_line(method))
    stdout().print(table)


def _show(plugins: "Plugins", method: "type[Method]", *, as_json: bool) -> None:
    from unseg_bench.cli.consoles import styled

    options = describe_options(method.Options)
    if as_json:
        print_json({**_facts(plugins, method), "supervision_by_preset": _levels(method), "options": options})
        return
    console = stdout()
    console.print(styled((method.name, "bold"), f"  {first_line(method)}"))
    say(f"labels it reads  {_supervision(method)}")
    for preset, level in _levels(method).items():
        say(f"                 {level} ({preset})")
    say(f"from             {plugins.sources[method.name]}")
    say(f"presets          {', '.join(method.presets) or 'default'}")
    say()
    print_options(console, options, "--set")
    for preset in method.presets:
        _print_preset(method, preset)
    for name, study in method.studies.items():
        say(f"\nstudy {name}: {study.title}")
        for row in study.rows:
            say(f"  {row}")


def _print_preset(method: "type[Method]", preset: str) -> None:
    """Print the options in which a preset differs from the defaults."""
    from unseg_bench.cli.summary import flat
    from unseg_bench.plugins.presets import preset_options

    defaults = dict(flat(method.Options().model_dump(mode="json")))
    chosen = flat(preset_options(method, preset).model_dump(mode="json"))
    differing = [(option, value) for option, value in chosen if defaults[option] != value]
    say(f"\npreset {preset}{'' if differing else ': the defaults'}")
    for option, value in differing:
        for line in wrap(f"{option} = {value}", WIDTH - 2, subsequent_indent="    ", break_on_hyphens=False):
            say(f"  {line}")


def _facts(plugins: "Plugins", method: "type[Method]") -> dict[str, Any]:
    return {
        "name": method.name,
        "what": first_line(method),
        "supervision": _supervision(method),
        "floor": method.floor,
        "ceiling": method.ceiling,
        "presets": {preset: dict(values) for preset, values in method.presets.items()},
        "studies": {
            name: {"title": study.title, "rows": {row: dict(options) for row, options in study.rows.items()}}
            for name, study in method.studies.items()
        },
        "source": plugins.sources[method.name],
    }


def _supervision(method: "type[Method]") -> str:
    """Return the declared supervision; a method may make it depend on its options, then it is told at the run."""
    value: object = method.supervision
    return "by its options" if isinstance(value, property) else str(value)


def _levels(method: "type[Method]") -> dict[str, str]:
    """Return the supervision with each preset's options where it depends on them, else nothing."""
    from unseg_bench.plugins.presets import preset_options

    if not isinstance(cast("object", method.supervision), property):
        return {}
    return {preset: str(method(preset_options(method, preset)).supervision) for preset in method.presets or ["default"]}
