"""`ubench datasets`: which there are, and what each can be told."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from unseg_bench.cli.app import app, examples
from unseg_bench.cli.describe import print_options
from unseg_bench.cli.options import AsJson, complete_dataset
from unseg_bench.console.plugins import plugins_with_warnings
from unseg_bench.console.streams import new_table, print_json, say, stdout

if TYPE_CHECKING:
    from unseg_bench.plugins.dataset import Dataset
    from unseg_bench.plugins.manager import Plugins


@app.command(
    rich_help_panel="What there is",
    epilog=examples(
        ("ubench datasets", "All data sets."),
        ("ubench datasets folder", "One data set and its options."),
    ),
)
def datasets(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", autocompletion=complete_dataset, help="One data set.", show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the data sets, or all options of one."""
    plugins = plugins_with_warnings()
    if name is None:
        _list_all(plugins, as_json=as_json)
    else:
        _show(plugins, plugins.dataset(name), as_json=as_json)


def _list_all(plugins: "Plugins", *, as_json: bool) -> None:
    known = [plugins.datasets[name] for name in sorted(plugins.datasets)]
    if as_json:
        print_json([_facts(plugins, dataset) for dataset in known])
        return
    table = new_table("data set", "default preset", "what it is")
    for dataset in known:
        table.add_row(dataset.name, dataset.default_preset, dataset.title)
    stdout().print(table)


def _show(plugins: "Plugins", dataset: "type[Dataset]", *, as_json: bool) -> None:
    from unseg_bench.console.plain import styled
    from unseg_bench.plugins.method_facts import describe_options

    options = [option.model_dump() for option in describe_options(dataset.Options)]
    if as_json:
        print_json({**_facts(plugins, dataset), "options": options})
        return
    console = stdout()
    console.print(styled((dataset.name, "bold"), f"  {dataset.title}"))
    say(f"from            {plugins.sources[dataset.name]}")
    say(f"default preset  {dataset.default_preset}")
    say(f"evidence        {'yes' if dataset.evidence else 'no: its figures say nothing about real patients'}")
    say()
    print_options(console, options, "--dataset-option")


def _facts(plugins: "Plugins", dataset: "type[Dataset]") -> dict[str, Any]:
    return {
        "name": dataset.name,
        "title": dataset.title,
        "evidence": dataset.evidence,
        "default_preset": dataset.default_preset,
        "source": plugins.sources[dataset.name],
    }
