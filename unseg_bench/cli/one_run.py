"""One run, named by its folder, its name or its method: the same for every command that is about one run."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unseg_bench.cli.complete import complete_method
from unseg_bench.cli.text import path_text, warn

if TYPE_CHECKING:
    from unseg_bench.run.folder import RunFolder
    from unseg_bench.score.record import CaseScore

RunSelector = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help="A run's folder, its name, or a method's name (its newest run).",
        autocompletion=complete_method,
        show_default=False,
    ),
]


def find_run(selector: str, runs: Path, *, complete: bool = False) -> "RunFolder":
    """Return the run that is meant; of a method the newest, with `complete` the newest that is complete, if any is.

    Raises DataError naming the nearest known run or method.
    """
    from unseg_bench.errors import DataError
    from unseg_bench.plugins.names import did_you_mean
    from unseg_bench.run.folder import SCORED, RunFolder, find_runs

    if (Path(selector) / "run.json").is_file():
        return RunFolder(Path(selector))
    found = find_runs(runs)
    if named := [run for run in found if run.path.name == selector]:
        return named[-1]
    own = [run for run in found if run.record["method"] == selector]
    if not own:
        known = {run.path.name for run in found} | {str(run.record["method"]) for run in found}
        raise DataError(f"no run '{selector}' in {path_text(runs)}.{did_you_mean(selector, known)}")
    scored = [run for run in own if run.state in SCORED]
    return scored[-1] if complete and scored else own[-1]


def scores_or_warning(run: "RunFolder") -> "list[CaseScore]":
    """Return a complete run's scores; none, with a line on stderr, where they cannot be read."""
    from unseg_bench.errors import ScoreError
    from unseg_bench.run.folder import SCORED
    from unseg_bench.score.table import read_scores

    try:
        return read_scores(run.scores) if run.state in SCORED else []
    except ScoreError as error:
        warn(f"Warning: {error}")
        return []
