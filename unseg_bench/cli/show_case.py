"""`ubench show RUN --case ID`: the pictures of one case."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from unseg_bench.console.plugins import plugins_with_warnings
from unseg_bench.console.reporters import make_reporter
from unseg_bench.console.streams import path_text, print_error, print_json, say, warn
from unseg_bench.errors import SettingsError, UbenchError

if TYPE_CHECKING:
    from unseg_bench.plugins.explain import Explanation
    from unseg_bench.run.folder import RunFolder


def show_case(
    run: "RunFolder",
    case_id: str,
    slice_index: int | None,
    out: Path | None,
    data: Path | None,
    *,
    recompute: bool,
    as_json: bool,
) -> None:
    """Write the pictures and print their paths; slice and prediction also where the steps cannot be had.

    Exits with the error's code where they should have been.
    """
    from unseg_bench.report.case_pictures import open_case, write_pictures

    case = open_case(run, case_id, data)
    explanation, why_none, exit_code = _explain(run, case_id, data, recompute=recompute)
    files = write_pictures(case, explanation, slice_index, out)
    if as_json:
        print_json({"run": str(run.path), "case": case_id, "pictures": list(map(str, files)), "no_steps": why_none})
    for file in [] if as_json else files:
        say(path_text(file))
    if why_none is not None:
        (print_error if exit_code else warn)(f"no steps: {why_none}")
        raise typer.Exit(exit_code)


def refuse_without_case(slice_index: int | None, out: Path | None, data: Path | None, *, recompute: bool) -> None:
    """Raise SettingsError for an option that means nothing without --case."""
    given = {"--slice": slice_index is not None, "--out": out is not None, "--data": data is not None}
    for option, is_given in (given | {"--recompute": recompute}).items():
        if is_given:
            raise SettingsError(f"{option} is about one case; name it with --case ID")


def _explain(
    run: "RunFolder", case_id: str, data: Path | None, *, recompute: bool
) -> "tuple[Explanation | None, str | None, int]":
    """Return the steps, or why there are none and what the command ends with."""
    from unseg_bench.run.explain import explain_case

    record = run.record
    if record.get("made_elsewhere"):
        return None, "the predictions were made elsewhere", 0
    try:
        with make_reporter() as reporter:
            found = explain_case(run, case_id, plugins_with_warnings(), reporter, data=data, recompute=recompute)
    except UbenchError as error:
        return None, str(error), error.exit_code
    return found, None if found else f"{record['method']} does not explain itself (it has no `explain`)", 0
