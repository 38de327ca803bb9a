"""What `ubench run` prints at its end, or before its beginning (`--dry-run`)."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import fmean, pstdev
from typing import TYPE_CHECKING, Any

import typer

from unseg_bench.cli.describe import value_text
from unseg_bench.console.streams import new_table, path_text, print_json, runs_option, say, stdout, warn
from unseg_bench.words import count_text

if TYPE_CHECKING:
    from rich.text import Text

    from unseg_bench.run.plan import RunPlan
    from unseg_bench.score.outcome import Outcome
    from unseg_bench.score.record import CaseScore

STOPPED = 130
MOST_NAMED = 10
"""Cases to look at that are named at the end of a run; `ubench show RUN` names all."""
_STATES = {
    "absent": "new",
    "started": "begun",
    "predicted": "segmented, not scored",
    "partial": "some cases failed",
}


@contextmanager
def resumable() -> Generator[None]:
    """Ctrl-C inside the block ends the command with one line: what is done is kept."""
    try:
        yield
    except KeyboardInterrupt:
        warn("stopped; the same command goes on where it stood")
        raise typer.Exit(STOPPED) from None


def show_plans(plans: "Sequence[RunPlan]", *, as_json: bool) -> None:
    """Say what would be done, in which stages, and about how long it will take."""
    from unseg_bench.cli.workload import print_workload
    from unseg_bench.run.estimate import workload_of
    from unseg_bench.run.plan import describe

    described, workload = [describe(plan) for plan in plans], workload_of(plans)
    if as_json:
        print_json({"runs": described, "work": workload.to_dict()})
    else:
        print_plans(described)
        print_workload(workload, len(described))


def print_summary(outcomes: "Sequence[Outcome]", runs: Path) -> None:
    """Print one line a run with mean DSC and HD95, then where things are and what to do next."""
    from unseg_bench.console.plain import styled

    table = new_table("method", "preset", "seed", "cases", "DSC %", "HD95 mm", right=("seed", "cases"))
    for outcome in outcomes:
        plan = outcome.plan
        failed = outcome.error is not None and not outcome.scores
        numbers = (styled(("failed", "red")), "") if failed else score_texts(outcome.scores)
        table.add_row(plan.method.name, plan.preset, str(plan.seed), _cases_text(outcome), *numbers)
    console = stdout()
    first = outcomes[0].plan
    say()
    console.print(f"{first.dataset.name}, split {first.split.name}, {first.settings.part}", style="bold")
    console.print(table)
    if not first.dataset.evidence:
        console.print("phantom figures are no evidence about the real methods", style="yellow")
    say()
    for outcome in outcomes:
        folder = outcome.plan.folder
        what = folder.scores if outcome.scores else folder.path
        say(f"{'scores' if outcome.scores else 'run':<8}{path_text(what)}")
    _print_what_to_look_at(outcomes)
    if any(outcome.scores for outcome in outcomes):
        say(f"next    ubench compare --by-size{runs_option(runs)}")


def _print_what_to_look_at(outcomes: "Sequence[Outcome]") -> None:
    """Print one line a run whose method states confidences: the cases to look at; one more on those without."""
    for outcome in outcomes:
        stated, folder = outcome.confidences, outcome.plan.folder
        whose = f"{outcome.plan.title}: " if len(outcomes) > 1 else ""
        cut = max(len(stated.look), len(stated.unstated)) > MOST_NAMED
        for line in stated.sentences(MOST_NAMED):
            say(f"{whose}{line}")
        if cut:
            say(f"all     ubench show {path_text(folder.path)}")


def print_plans(described: Sequence[Mapping[str, Any]]) -> None:
    """Print for each run what would be done and with which options."""
    console = stdout()
    for plan in described:
        left = int(plan["to_segment"]) - int(plan["segmented"])
        parts = ", ".join(f"{part} {count}" for part, count in plan["cases"].items())
        say(f"{plan['method']} ({plan['preset']}), seed {plan['seed']}")
        say(f"  data     {plan['dataset']}, split {plan['split']}: {parts}")
        say(f"  run      {path_text(Path(plan['run']))} ({_STATES.get(str(plan['state']), plan['state'])})")
        say(f"  to do    {_to_do(str(plan['state']), left)}")
        console.print("  options", end="\n" if plan["options"] else "  none\n")
        for name, value in flat(plan["options"]):
            console.print(f"    {name} = {value}", soft_wrap=True)


def score_texts(scores: "Sequence[CaseScore] | None") -> tuple[str, str]:
    """Return mean and standard deviation (n in the denominator) over cases of DSC in % and of HD95 in mm."""
    if not scores:
        return "not scored", ""
    dsc = [100 * score.dsc for score in scores]
    hd95 = [score.hd95_mm for score in scores]
    return f"{fmean(dsc):.2f} ± {pstdev(dsc):.2f}", f"{fmean(hd95):.2f} ± {pstdev(hd95):.2f}"


def flat(options: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Return nested options as dotted names and texts."""
    lines: list[tuple[str, str]] = []
    for name, value in options.items():
        if isinstance(value, Mapping):
            lines += flat(value, f"{prefix}{name}.")
        else:
            lines.append((prefix + name, value_text(value)))
    return lines


def _cases_text(outcome: "Outcome") -> "Text":
    """Return how many cases there are, and how many of them have no score: why not, where they have no reference."""
    from unseg_bench.console.plain import styled

    cases = len(outcome.plan.case_ids)
    if not outcome.scores:
        return styled(str(cases))
    bare = len(outcome.plan.folder.record.get("without_reference", []))
    missing = cases - bare - len(outcome.scores)
    words = [(f"{missing} missing", "red")] if missing else []
    words += [(f"{bare} without reference", "")] if bare else []
    between = [part for word in words for part in (", ", word)][1:]
    return styled(str(cases), *([" (", *between, ")"] if words else []))


def _to_do(state: str, left: int) -> str:
    if state == "complete":
        return "nothing: the run is complete"
    return f"{count_text(left, 'case')} to segment, then scores" if left else "scores"
