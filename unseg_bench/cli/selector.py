"""One run, named by its folder, its name or its method: the same for every command that is about one run."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unseg_bench.cli.options import complete_method
from unseg_bench.console.streams import path_text, warn, warn_of
from unseg_bench.words import count_text

if TYPE_CHECKING:
    from unseg_bench.run.folder import RunFolder
    from unseg_bench.score.record import CaseScore

RunSelector = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help="A run's folder, its name, or a method's name: its newest run with its preset's own options on all cases.",
        autocompletion=complete_method,
        show_default=False,
    ),
]


def find_run(selector: str, runs: Path) -> "RunFolder":
    """Return the run that is meant; of a method the one that stands for it on the newest run's data (`run.choice`).

    That newer ones stand aside is said on stderr. Raises DataError naming the nearest known run or method.
    """
    from unseg_bench.errors import DataError
    from unseg_bench.plugins.names import did_you_mean
    from unseg_bench.run.choice import data_of, standing
    from unseg_bench.run.folder import find_runs, open_run

    if (Path(selector) / "run.json").is_file():
        return open_run(Path(selector))
    found = [(run, run.record) for run in find_runs(runs, warn_of)]
    if named := [run for run, _ in found if run.path.name == selector]:
        return named[-1]
    own = [(run, record) for run, record in found if record["method"] == selector]
    if not own:
        known = {run.path.name for run, _ in found} | {str(record["method"]) for _, record in found}
        raise DataError(f"no run '{selector}' in {path_text(runs)}.{did_you_mean(selector, known)}")
    data = data_of(own[-1][1])
    same = [(standing(record), run) for run, record in own if data_of(record) == data]
    best = min(number for number, _ in same)
    at = max(i for i, (number, _) in enumerate(same) if number == best)
    if newer := len(same) - 1 - at:
        what = f"{count_text(newer, 'newer run')} of {selector}"
        warn(f"{what} on other cases, with other settings or without scores left out: ubench runs")
    return same[at][1]


def scores_or_warning(run: "RunFolder") -> "list[CaseScore]":
    """Return a complete run's scores; none, with a line on stderr, where they cannot be read."""
    from unseg_bench.errors import UbenchError
    from unseg_bench.run.folder import SCORED
    from unseg_bench.score.table import read_scores

    try:
        return read_scores(run.scores) if run.state in SCORED else []
    except UbenchError as error:
        warn_of(error)
        return []
