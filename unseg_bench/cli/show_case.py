"""`ubench show RUN --case ID`: the pictures of one case."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unseg_bench.cli.options import under
from unseg_bench.console.plugins import plugins_with_warnings
from unseg_bench.console.reporters import make_reporter
from unseg_bench.console.streams import path_text, print_error, print_json, say, warn
from unseg_bench.errors import SettingsError, UbenchError

PANEL = "One case"

if TYPE_CHECKING:
    from unseg_bench.plugins.explain import Explanation
    from unseg_bench.run.folder import RunFolder


@under(PANEL)
@dataclass(frozen=True, slots=True, kw_only=True)
class CaseOptions:
    """One case of a run, and how it is drawn."""

    case: Annotated[
        str | None, typer.Option(metavar="ID", help="Draw this case, of any part of the split, step by step.")
    ] = None
    slice_index: Annotated[
        int | None,
        typer.Option(
            "--slice", min=0, metavar="N", help="This axial slice, from 0 at the bottom, not that with most tumour."
        ),
    ] = None
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where the pictures go. Default: RUN/pictures/ID.")
    ] = None
    data: Annotated[Path | None, typer.Option(metavar="DIR", help="Where the images are now, if they moved.")] = None
    recompute: Annotated[
        bool,
        typer.Option(
            "--recompute", help="Compute what is no longer in the cache, with the method's code as it is now."
        ),
    ] = False

    def refuse_alone(self) -> None:
        """Raise SettingsError for an option that means nothing without --case."""
        given = {"--slice": self.slice_index, "--out": self.out, "--data": self.data, "--recompute": self.recompute}
        for option, value in given.items():
            if value is not None and value is not False:
                raise SettingsError(f"{option} is about one case; name it with --case ID")


def show_case(run: "RunFolder", asked: CaseOptions, *, as_json: bool) -> None:
    """Write the pictures and print their paths; slice and prediction also where the steps cannot be had.

    Exits with the error's code where they should have been.
    """
    from unseg_bench.report.case_pictures import open_case, write_pictures

    case_id = str(asked.case)
    case = open_case(run, case_id, asked.data)
    explanation, why_none, exit_code = _explain(run, case_id, asked.data, recompute=asked.recompute)
    files = write_pictures(case, explanation, asked.slice_index, asked.out)
    if as_json:
        print_json({"run": str(run.path), "case": case_id, "pictures": list(map(str, files)), "no_steps": why_none})
    for file in [] if as_json else files:
        say(path_text(file))
    if why_none is not None:
        (print_error if exit_code else warn)(f"no steps: {why_none}")
        raise typer.Exit(exit_code)


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
