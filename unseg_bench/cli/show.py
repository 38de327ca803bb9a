"""`ubench show`: all there is to know of one run."""

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unseg_bench.cli.app import app, examples
from unseg_bench.cli.describe import value_text
from unseg_bench.cli.options import AsJson, RunsFolder, grouped, under
from unseg_bench.cli.selector import RunSelector, find_run, scores_or_warning
from unseg_bench.cli.show_tables import alternatives_text, print_first_rows, print_table
from unseg_bench.console.plugins import plugins_with_warnings
from unseg_bench.console.reporters import make_reporter
from unseg_bench.console.streams import path_text, print_error, print_json, say, warn
from unseg_bench.errors import SettingsError, UbenchError
from unseg_bench.words import count_text, first_of, seconds_text

if TYPE_CHECKING:
    from unseg_bench.plugins.explain import Explanation
    from unseg_bench.run.folder import RunFolder
    from unseg_bench.score.record import CaseScore

PANEL = "One case"
WIDTH = 12
"""Of the column with what a line is about."""
DIGITS = 12
"""So many of a digest's 64 are shown; --json has all."""
_NO_IMAGES = hashlib.sha256().hexdigest()
"""Digest of a part from which a method was given nothing."""


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


@app.command(
    rich_help_panel="Run and compare",
    epilog=examples(
        ("ubench show clisc", "The newest run of a method."),
        ("ubench show runs/phantom/clisc-demo-seed0-1a2b3c4d --options", "One run, with all its options."),
        ("ubench show clisc --table s3f", "One of the tables that the method wrote into its run."),
        ("ubench show clisc --case phantom-0041", "Pictures of how the method came to its answer for a case."),
    ),
)
@grouped
def show(
    *,
    selector: RunSelector,
    options: Annotated[
        bool, typer.Option("--options", help="All options, not only those that differ from the preset's.")
    ] = False,
    table: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only this table of the method's own, with all its rows.")
    ] = None,
    case: CaseOptions,
    runs: RunsFolder = Path("runs"),
    as_json: AsJson = False,
) -> None:
    """Show one run: how it was made, which labels it read and why, its stages, its scores, its method's own tables.

    With --case, how the method came to its answer for one case, as pictures.
    """
    run = find_run(selector, runs)
    if case.case is not None:
        if table is not None or options:
            raise SettingsError("--case is about pictures, --table and --options are not; give one of them")
        _show_case(run, case, as_json=as_json)
        return
    case.refuse_alone()
    if table is not None:
        print_table(run, table, as_json=as_json)
    elif as_json:
        _print_json(run)
    else:
        _print(run, everything=options)


def _print_json(run: "RunFolder") -> None:
    from unseg_bench.run.confidence import Confidences
    from unseg_bench.run.tables import read_tables
    from unseg_bench.score.intact import doubts_about_files

    scores = scores_or_warning(run)
    doubts = doubts_about_files(run, scores, everything=True)
    tables = {one.name: {"columns": list(one.columns), "rows": len(one.rows)} for one in read_tables(run)}
    look = list(Confidences.of(run.record).look)
    more = {"look_at": look, "alternatives": run.alternatives, "file_doubts": doubts, "tables": tables}
    print_json({"run": str(run.path), **run.record, "scores": [asdict(score) for score in scores], **more})


def _print(run: "RunFolder", *, everything: bool) -> None:
    record = run.record
    _print_head(run, record, scores_or_warning(run))
    _print_label_reads(record)
    if record.get("made_elsewhere"):
        _print_source(record)
    else:
        _print_options(record, everything=everything)
    _print_provenance(record)
    _print_stages(run)
    _print_cases_without_scores(record)
    print_first_rows(run)


def _line(name: str, text: str) -> None:
    if text:
        say(f"{name:<{WIDTH}}{text}")


def _print_head(run: "RunFolder", record: Mapping[str, Any], scores: "Sequence[CaseScore]") -> None:
    from unseg_bench.cli.summary import score_texts
    from unseg_bench.score.doubts import remarks
    from unseg_bench.score.intact import doubts_about_files

    dsc, hd95 = score_texts(scores)
    made = "made elsewhere" if record.get("made_elsewhere") else f"preset {record['preset']}"
    _line("run", path_text(run.path))
    _line("state", str(record["state"]) + (f": {record['error']}" if record.get("error") else ""))
    _line("method", f"{record['method']}, {made}, seed {record['seed']}")
    cases = count_text(len(record["cases"]), "case")
    _line("data", f"{record['dataset']}, split {record['split']}, {record['part']}: {cases}")
    for remark in (*remarks(run), *doubts_about_files(run, scores, everything=True)):
        _line("remark", remark)
    _line("DSC %", dsc)
    _line("HD95 mm", hd95)
    _line("beside it", alternatives_text(run))
    _print_confidences(record)


def _print_confidences(record: Mapping[str, Any]) -> None:
    """Print the range of the confidences, and every case to look at."""
    from unseg_bench.run.confidence import Confidences

    stated = Confidences.of(record)
    if values := list(stated.values.values()):
        _line("confidence", f"{values[0]:.2f} to {values[-1]:.2f}, stated for {count_text(len(values), 'case')}")
    for sentence in stated.sentences():
        _line("look", sentence)


def _print_label_reads(record: Mapping[str, Any]) -> None:
    """Print what was measured, then for each purpose which labels were read."""
    from unseg_bench.run.ledger import label_free

    _line("label-free", label_free(record))
    by_purpose: defaultdict[tuple[str, str], dict[str, None]] = defaultdict(dict)
    for read in record.get("label_reads", []):
        by_purpose[read["kind"], read["purpose"]][read["case"]] = None
    for (kind, purpose), cases in by_purpose.items():
        say(f"  {kind} of {count_text(len(cases), 'case')} for '{purpose}': {first_of(list(cases))}")


def _print_source(record: Mapping[str, Any]) -> None:
    source = record.get("source", {})
    ways = {name: value for name in ("pattern", "labels", "threshold") if (value := source.get(name)) is not None}
    told = "".join(f", {name} {value_text(value)}" for name, value in ways.items())
    _line("makers say", record.get("label_use") or "")
    files = count_text(len(source.get("files", {})), "mask")
    _line("files", f"{files} of {source.get('folder', 'unknown origin')}{told}")


def _print_options(record: Mapping[str, Any], *, everything: bool) -> None:
    """Print the options that are not the preset's, or all of them."""
    options: dict[str, Any] = record.get("options", record.get("settings", {}).get("set", {}))
    differing: dict[str, Any] | None = (record.get("differs") or {}).get("options")
    if differing is None:
        _line("options", f"{count_text(len(options), 'option')}; which are not the preset's was not recorded")
    else:
        _line("options", f"{len(differing) or 'none'} of {len(options)} differ from preset {record['preset']}")
    for name, value in (options if everything or differing is None else differing).items():
        mark = "  (not the preset's)" if everything and differing is not None and name in differing else ""
        say(f"  {name} = {value_text(value)}{mark}")


def _print_provenance(record: Mapping[str, Any]) -> None:
    from unseg_bench.run.facts import device_text

    weights, images = record.get("weights", {}), record.get("images", {})
    machine, versions = record.get("machine", {}), record.get("versions", {})
    _line("weights", ", ".join(f"{name} ({digest[:DIGITS]})" for name, digest in weights.items()) or "none")
    seen = {part: "none" if digest == _NO_IMAGES else digest[:DIGITS] for part, digest in images.items()}
    _line("images", ", ".join(f"{part} ({digest})" for part, digest in seen.items()))
    if {"system", "processor", "cpus"} <= machine.keys():
        _line("machine", f"{machine['system']}, {machine['processor']}, {count_text(machine['cpus'], 'core')}")
    shown = [name for name in ("unseg-bench", "python", "torch") if name in versions]
    _line("device", device_text(record))
    _line("versions", ", ".join(f"{name} {versions[name]}" for name in shown))
    _line("begun", str(record["started"]).replace("T", " ")[:19] + " UTC")
    if ended := record.get("ended"):
        took = datetime.fromisoformat(ended) - datetime.fromisoformat(record["started"])
        _line("took", f"{seconds_text(took.total_seconds())}, pauses included")


def _print_stages(run: "RunFolder") -> None:
    """Print every stage with the time that it took when it was computed in this run; marked: of another device."""
    from unseg_bench.plugins.device import Device, kind_of_device

    own = Device.from_json(run.record.get("device", {}))
    stages: dict[str, str] = {}
    for event in run.events():
        name, seconds, cached = event.get("stage"), event.get("seconds"), bool(event.get("cached"))
        if event["event"] != "stage" or not isinstance(name, str) or not isinstance(seconds, float | int):
            continue
        if not (cached and name in stages):
            stages[name] = "kept from before" if cached else seconds_text(seconds)
            made_on = str(event.get("device", own.name))
            if kind_of_device(made_on) != own.kind:
                stages[name] += f", made on another kind of device ({made_on})"
    for number, (stage, text) in enumerate(stages.items()):
        say(f"{'' if number else 'stages':<{WIDTH}}{stage:<24}{text}")


def _print_cases_without_scores(record: Mapping[str, Any]) -> None:
    for case_id, reason in record.get("failed_cases", {}).items():
        _line("failed", f"{case_id}: {reason}")
    _line("missing", ", ".join(record.get("missing_cases", [])))


def _show_case(run: "RunFolder", asked: CaseOptions, *, as_json: bool) -> None:
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
