"""What `ubench run` prints at its end, or before its beginning (`--dry-run`)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, pstdev
from typing import TYPE_CHECKING, Any

from unseg_bench.cli.describe import value_text
from unseg_bench.cli.text import count_text, new_table, path_text, say, stdout

if TYPE_CHECKING:
    from unseg_bench.cli.running import Outcome
    from unseg_bench.score.record import CaseScore


def print_summary(outcomes: "Sequence[Outcome]", runs: Path) -> None:
    """Print one line a run with mean DSC and HD95, then where things are and what to do next."""
    table = new_table("method", "preset", "seed", "cases", "DSC %", "HD95 mm", right=("seed", "cases"))
    for outcome in outcomes:
        plan = outcome.plan
        failed = outcome.error is not None and not outcome.scores
        numbers = ("[red]failed[/red]", "") if failed else score_texts(outcome.scores)
        table.add_row(plan.method.name, plan.preset, str(plan.seed), _cases_text(outcome), *numbers)
    console = stdout()
    first = outcomes[0].plan
    say()
    console.print(f"[bold]{first.dataset.name}, split {first.split.name}, {first.settings.part}[/bold]")
    console.print(table)
    if not first.dataset.evidence:
        console.print("[yellow]phantom figures are no evidence about the real methods[/yellow]")
    say()
    for outcome in outcomes:
        folder = outcome.plan.folder
        what = folder.scores if outcome.scores else folder.path
        say(f"{'scores' if outcome.scores else 'run':<8}{path_text(what)}")
    if any(outcome.scores for outcome in outcomes):
        say(f"next    ubench compare --by-size{'' if runs == Path('runs') else f' --runs {path_text(runs)}'}")


def print_plans(described: Sequence[Mapping[str, Any]]) -> None:
    """Print for each run what would be done and with which options."""
    console = stdout()
    for plan in described:
        left = int(plan["to_segment"]) - int(plan["segmented"])
        parts = ", ".join(f"{part} {count}" for part, count in plan["cases"].items())
        say(f"{plan['method']} ({plan['preset']}), seed {plan['seed']}")
        say(f"  data     {plan['dataset']}, split {plan['split']}: {parts}")
        say(f"  run      {path_text(Path(plan['run']))} ({_state_text(str(plan['state']))})")
        say(f"  to do    {_to_do(str(plan['state']), left)}")
        console.print("  options", end="\n" if plan["options"] else "  none\n")
        for name, value in flat(plan["options"]):
            console.print(f"    {name} = {value}", markup=False, soft_wrap=True)
    say(f"{count_text(len(described), 'run')}; nothing was computed (--dry-run)")


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


def _cases_text(outcome: "Outcome") -> str:
    """Return how many cases there are, and how many of them have no score where some failed."""
    cases = len(outcome.plan.case_ids)
    missing = cases - len(outcome.scores) if outcome.scores else 0
    return f"{cases} [red]({missing} missing)[/red]" if missing else str(cases)


def _state_text(state: str) -> str:
    return {
        "absent": "new",
        "started": "begun",
        "predicted": "segmented, not scored",
        "partial": "some cases failed",
    }.get(state, state)


def _to_do(state: str, left: int) -> str:
    if state == "complete":
        return "nothing: the run is complete"
    return f"{count_text(left, 'case')} to segment, then scores" if left else "scores"
