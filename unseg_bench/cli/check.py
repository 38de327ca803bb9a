"""`ubench check`: does a plugin keep the contract of its role?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unseg_bench.cli.app import app, examples
from unseg_bench.cli.options import AsJson, DataDir, MoreOptions, complete_method
from unseg_bench.console.plugins import plugins_with_warnings
from unseg_bench.console.streams import new_table, print_json, say, stdout
from unseg_bench.words import count_text

if TYPE_CHECKING:
    from unseg_bench.plugins.conformance import CheckResult
    from unseg_bench.plugins.manager import Plugins


@app.command(
    rich_help_panel="Write a method",
    epilog=examples(
        ("ubench check ./mine.py", "The method in a file."),
        ("ubench check clisc", "An installed method."),
        ("ubench check phantom --dataset-option test=2 --dataset-option train=2", "A data set, with few cases."),
    ),
)
def check(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME|FILE", help="A method or data set.", autocompletion=complete_method, show_default=False
        ),
    ],
    data: DataDir = None,
    dataset_option: MoreOptions = None,
    as_json: AsJson = False,
) -> None:
    """Try a method or data set on all that its role demands; exit code 1 when something fails.

    A method is tried on tiny volumes: options, odd shapes, an empty brain, determinism, labels, resuming.
    """
    results = _results(plugins_with_warnings(), name, data, dataset_option)
    if as_json:
        print_json([{"name": one.name, "passed": one.passed, "detail": one.detail} for one in results])
    else:
        _print(name, results)
    if not all(result.passed for result in results):
        raise typer.Exit(1)


def _results(
    plugins: "Plugins", name: str, data: "Path | None", dataset_option: list[str] | None
) -> "list[CheckResult]":
    from unseg_bench.plugins.conformance import check_dataset
    from unseg_bench.plugins.manager import is_file
    from unseg_bench.run.inspection import check_in_process
    from unseg_bench.run.method_card import where_of_class, where_of_file

    if name not in plugins.datasets:
        return check_in_process(
            where_of_file(Path(name)) if is_file(name) else where_of_class(plugins.method(name)), name
        )
    from unseg_bench.run.asked import assigned_to_data, data_options
    from unseg_bench.run.settings import make_dataset

    dataset = plugins.dataset(name)
    opened = make_dataset(dataset, data_options({"data": data}) | assigned_to_data(dataset_option or []))
    return check_dataset(dataset, opened.options)


def _print(name: str, results: "list[CheckResult]") -> None:
    from unseg_bench.console.plain import styled

    table = new_table("", "check", "seen")
    for result in results:
        mark = styled(("✓", "green") if result.passed else ("✗", "red"))
        table.add_row(mark, result.name, result.detail)
    stdout().print(table)
    failed = sum(not result.passed for result in results)
    say(f"{name}: {count_text(failed, 'check') + ' failed' if failed else 'all checks passed'}")
