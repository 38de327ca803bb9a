"""What is to do, how long it takes and how much room it needs, before anything is computed (`--dry-run`)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from unseg_bench.console.streams import new_table, path_text, say, stdout, warn
from unseg_bench.errors import WeightsError
from unseg_bench.words import bytes_text, count_text, seconds_text

if TYPE_CHECKING:
    from unseg_bench.run.estimate import SegmentTask, StageTask, Workload
    from unseg_bench.run.plan import RunPlan

    _Tasks: TypeAlias = Sequence[StageTask | SegmentTask]

_SHORT = "the same command with --set sam.keep_embeddings=false keeps nothing of SAM's encoder"


def print_workload(workload: "Workload", runs: int) -> None:
    """Print every stage with how many results are kept and to do, what is to segment, the estimate and its limits."""
    table = new_table("method", "stage", "kept", "to do", "time", "disk", right=("kept", "to do", "time", "disk"))
    for method, stage, kept, tasks in _by_stage(workload):
        table.add_row(method, stage, str(kept), str(len(tasks)), _time_text(tasks), _disk_text(tasks))
    segments: dict[str, list[SegmentTask]] = {}
    for task in workload.segments:
        segments.setdefault(task.method, []).append(task)
    for method, tasks in segments.items():
        cases = count_text(sum(task.cases for task in tasks), "case")
        table.add_row(method, "segment", "", cases, _time_text(tasks), _disk_text(tasks))
    if table.row_count:
        say()
        stdout().print(table)
    for text in [*_limits(workload), *needs(workload)]:
        say(text)
    total = _time_text([task for task in workload.tasks if task.seconds != 0])
    doing = f"{_about(total)} of computing" if table.row_count and workload.seconds else "no estimate of the time"
    idle = not workload.unknown and not workload.seconds and not workload.beyond
    say(f"{count_text(runs, 'run')}, {'nothing to compute' if idle else doing}; nothing was computed (--dry-run)")


def needs(workload: "Workload") -> list[str]:
    """Return what the runs need beside time: weights that are missing, room on disk; and what estimates rest on."""
    lines: list[str] = []
    if workload.missing:
        named = ", ".join(_sized(workload.missing))
        lines.append(f"weights that are not here: {named}; a run fetches them, or `ubench weights download NAME`")
    if workload.computed:
        lines.append(
            "~ is computed from the arithmetic of the networks, not measured here: half or twice as long is possible. "
            f"On one data-centre GPU that part takes about {seconds_text(workload.gpu_seconds)}"
        )
    if workload.bytes:
        lines.append(_room_text(workload.bytes))
    return lines


def announce(plans: "Sequence[RunPlan]") -> None:
    """Say before runs begin what they need, where they may need much: ten minutes of a GPU, or 1 GB.

    Raises WeightsError, which names them all, where weights are missing and nothing may be fetched.
    """
    from unseg_bench.run.dry_run import DryRun
    from unseg_bench.run.estimate import estimate, workload_of

    at_most = estimate([DryRun(plan, beyond=None if plan.is_done else "not tried") for plan in plans])
    if at_most.missing and any(plan.settings.offline for plan in plans):
        named = ", ".join(_sized(at_most.missing))
        raise WeightsError(f"weights that are not here: {named}. `ubench weights` says where each belongs")
    if at_most.gpu_seconds < 600 and at_most.bytes < 1e9:
        return
    workload = workload_of(plans)
    time = _time_text([task for task in workload.tasks if task.seconds != 0])
    warn(f"{_about(time)} of computing" if workload.seconds else "no estimate of the time")
    for line in needs(workload):
        warn(line)


def _sized(missing: "Mapping[str, int]") -> list[str]:
    return [f"{name} ({bytes_text(size) if size else 'size not known'})" for name, size in missing.items()]


def _room_text(size: float) -> str:
    """Return how much is written where, and whether that fits."""
    import shutil

    from unseg_bench.data.paths import cache_dir

    folder = cache_dir()
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free = shutil.disk_usage(there).free
    text = f"disk: up to {bytes_text(round(size))} in {path_text(folder)}, where {bytes_text(free)} are free"
    if free > size:
        return text
    return f"{text}: too little. Have the cache elsewhere (UBENCH_CACHE), or, with SAM, {_SHORT}"


def _by_stage(workload: "Workload") -> "list[tuple[str, str, int, list[StageTask]]]":
    """Return by method and stage: how many results are kept, and those to do."""
    groups: dict[tuple[str, str], list[StageTask]] = {}
    for task in workload.stages:
        groups.setdefault((task.method, task.stage), []).append(task)
    return [
        (method, stage, sum(task.cached for task in tasks), [task for task in tasks if not task.cached])
        for (method, stage), tasks in groups.items()
    ]


def _time_text(tasks: "_Tasks") -> str:
    """Return the sum as a duration: with '~' where a part of it is computed, with '+ ?' where one is not known."""
    if not tasks:
        return ""
    known = [task.seconds for task in tasks if task.seconds is not None]
    about = "~" if any(task.basis == "computed" and task.seconds for task in tasks) else ""
    parts = [f"{about}{seconds_text(sum(known))}"] if known else []
    return " + ".join([*parts, *(["?"] if len(known) < len(tasks) else [])])


def _about(time: str) -> str:
    return f"about {time.removeprefix('~')}"


def _disk_text(tasks: "_Tasks") -> str:
    size = sum(task.bytes for task in tasks)
    return bytes_text(round(size)) if size else ""


def _limits(workload: "Workload") -> list[str]:
    """Return what the table cannot know, and which runs would fail."""
    reasons: dict[str, int] = {}
    for reason in workload.beyond.values():
        reasons[reason] = reasons.get(reason, 0) + 1
    unknown = [f"{count_text(n, 'run')}: more stages may follow: {reason}" for reason, n in reasons.items()]
    return [*unknown, *(f"would fail: {path_text(Path(run))}: {error}" for run, error in workload.errors.items())]
