"""`ubench audit`: is it label-free? The evidence on a run, or a method put to the test with other references."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unseg_bench.cli.app import app, examples
from unseg_bench.cli.options import AsJson, RunsFolder, complete_method
from unseg_bench.cli.selector import find_run
from unseg_bench.console.plugins import plugins_with_warnings
from unseg_bench.console.reporters import make_reporter
from unseg_bench.console.streams import path_text, print_json, say
from unseg_bench.words import count_text

if TYPE_CHECKING:
    from unseg_bench.run.black_box import BlackBox
    from unseg_bench.run.folder import RunFolder

WIDTH = 12
DATASET = "phantom"
COHORT = {"train": 3, "valid": 1, "test": 2, "healthy": 2}
"""The small cohort that a method is put to the test with."""
SYSTEM = ("/etc/", "/proc/", "/sys/", "/dev/")
PRESET = "check"
"""The preset taken where a method has it: the smallest setting that still works."""


@app.command(
    rich_help_panel="Run and compare",
    epilog=examples(
        ("ubench audit runs/phantom/clisc-demo-seed0-1a2b3c4d", "The evidence on one run, on one page."),
        ("ubench audit ./mine.py", "The method's predictions with true and with random references."),
    ),
)
def audit(
    name: Annotated[
        str,
        typer.Argument(
            metavar="RUN|METHOD",
            help="A run's folder or its name; or a method's name or file.",
            autocompletion=complete_method,
            show_default=False,
        ),
    ],
    preset: Annotated[
        str | None, typer.Option(metavar="NAME", help="Of a method. Default: check where it has that, else its own.")
    ] = None,
    runs: RunsFolder = Path("runs"),
    as_json: AsJson = False,
) -> None:
    """Show what a run was kept from, or try whether a method's predictions depend on references.

    A method runs twice on a small cohort, from an empty cache: once with the references, once with random ones instead.
    Predictions of a label-free method are the same bit by bit; else the exit code is 1.
    """
    if (Path(name) / "run.json").is_file() or any(runs.glob(f"*/{Path(name).name}/run.json")):
        _show_evidence(name, runs, as_json=as_json)
        return
    result = _put_to_the_test(name, preset)
    if as_json:
        print_json({**asdict(result), "passed": result.passed})
    else:
        say(_verdict(name, result))
    if not result.passed:
        raise typer.Exit(1)


def _put_to_the_test(name: str, preset: str | None) -> "BlackBox":
    from tempfile import TemporaryDirectory

    from unseg_bench.run.black_box import audit_black_box
    from unseg_bench.run.plan import plan_runs
    from unseg_bench.run.settings import make_dataset, make_settings

    plugins = plugins_with_warnings()
    with TemporaryDirectory(prefix="ubench-audit-") as folder:
        asked = make_settings({"methods": [name], "dataset": DATASET, "dataset_options": COHORT, "preset": preset})
        (plan,) = plan_runs(asked, plugins, Path(folder) / "plan")
        chosen = preset or (PRESET if PRESET in plan.method.presets else None)
        dataset = make_dataset(plugins.dataset(DATASET), COHORT)
        with make_reporter() as reporter:
            return audit_black_box(name, chosen, dataset, plugins, Path(folder), reporter)


def _verdict(name: str, result: "BlackBox") -> str:
    cases = count_text(len(result.cases), "case")
    if not result.differing:
        return f"{name}: the same predictions bit by bit with true and with random references ({cases})"
    which = f"{len(result.differing)} of {cases} differ with other references: {', '.join(result.differing)}"
    if result.unstable:
        which += (
            f". Of these {', '.join(result.unstable)} differ even with the same references: the method is not "
            "deterministic, so this says nothing of labels (`ubench check` tries determinism)"
        )
    if result.passed:
        return f"{name}: {which}; it declares supervision '{result.supervision}', so they may"
    return f"{name}: {which}"


def _show_evidence(name: str, runs: Path, *, as_json: bool) -> None:
    from unseg_bench.run.evidence import collect_evidence

    run = find_run(name, runs)
    evidence: dict[str, Any] = {**collect_evidence(run), "files": _about_files(run)}
    if as_json:
        print_json(evidence)
        return
    _line("run", path_text(Path(evidence["run"])))
    _line("method", f"{evidence['method']}, declares supervision '{evidence['supervision']}'")
    _line("label-free", evidence["label_free"])
    _print_seal(evidence["seal"])
    _list("refused", [tried["what"] for tried in evidence["refused"]])
    _list("allowed", _places(evidence["allowed"]))
    _list("opened", evidence["opened"])
    _print_handed(evidence["seal"])
    _list("masks from", _mask_sources(evidence["mask_sources"]))
    _list("labels read", _reads(evidence["label_reads"]) or ["none"])
    _list("files", evidence["files"])
    _list("sha-256", [f"{digest}  {what}" for what, digest in evidence["digests"].items()])


def _about_files(run: "RunFolder") -> list[str]:
    """Say whether predictions, scores and references are those that were written down, as far as they are here."""
    from unseg_bench.cli.selector import scores_or_warning
    from unseg_bench.run.made import made_in, replaced_in
    from unseg_bench.score.intact import doubts_about_files

    scores = scores_or_warning(run)
    made = made_in(run)
    there = [case for case in run.record.get("cases", []) if run.prediction(case).is_file()]
    found = list(doubts_about_files(run, scores, everything=True)) if scores else ["no scores yet"]
    if not made:
        found.append(
            "no digest of what predictions were made from: an earlier version kept none, or made.jsonl is gone"
        )
    elif replaced := replaced_in(run, there):
        found.append(f"predictions that the run did not write: {', '.join(replaced)}")
    return found or ["predictions, scores and references are those that were written down"]


def _print_seal(seal: Mapping[str, Any]) -> None:
    if seal.get("mode") == "sealed":
        _line("seal", f"sealed: Landlock ABI {seal['landlock_abi']}, network: {seal['network']}")
        _list("namespaces", [f"{name}: {said}" for name, said in seal.get("namespaces", {}).items()])
        _list("calls refused", seal.get("refused_calls", []))
        return
    _line("seal", f"none: {seal.get('reason', 'made before seals were written down')}")
    if "opened_files" in seal:
        files, programs = count_text(seal["opened_files"], "file"), count_text(seal["started_programs"], "program")
        data = count_text(seal["opened_data_files"], "file")
        _line("", f"the method opened {files}, {data} of the data set, and started {programs}")


def _print_handed(seal: Mapping[str, Any]) -> None:
    volumes = [f"{count_text(count, 'volume')} of '{cohort}'" for cohort, count in seal.get("volumes", {}).items()]
    weights = [
        f"weights {name} ({file['sha256'][:12]}, checksum {'' if file['published_checksum'] else 'not '}published)"
        for name, file in seal.get("weights", {}).items()
    ]
    _list("handed over", [*volumes, *weights])


def _mask_sources(sources: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Say whose masks the method was given, how many, and how much is known of what they were made from."""
    lines: list[str] = []
    for folder, source in sources.items():
        made = {"sealed": "under a seal", "unknown": "elsewhere"}.get(source["mode"], "without a seal")
        name = source["run"] or path_text(Path(folder))
        lines.append(f"{name}: {count_text(len(source['masks']), 'mask')}, made {made}")
    return lines


def _places(rules: Sequence[Mapping[str, str]]) -> list[str]:
    """Say what could be opened; files of the system are put together by folder."""
    groups: dict[tuple[str, str], list[str]] = {}
    for rule in rules:
        top = next((folder for folder in SYSTEM if rule["path"].startswith(folder)), "")
        groups.setdefault((rule["rights"], top), []).append(rule["path"].removeprefix(top))
    lines: list[str] = []
    for (rights, top), paths in groups.items():
        lines += [f"{rights:<15}{path}" for path in ([f"{top}: {' '.join(paths)}"] if top else paths)]
    return lines


def _reads(reads: Sequence[Mapping[str, str]]) -> list[str]:
    """Say per kind and purpose which cases' labels were read, and when."""
    groups = Counter((read["kind"], read["purpose"]) for read in reads)
    lines: list[str] = []
    for (kind, purpose), count in groups.items():
        own = [read for read in reads if (read["kind"], read["purpose"]) == (kind, purpose)]
        times = sorted(read["when"] for read in own)
        lines.append(f"{count} {kind}, for '{purpose}', {times[0]} to {times[-1]}")
        lines += [f"  {', '.join(read['case'] for read in own[start : start + 8])}" for start in range(0, count, 8)]
    return lines


def _line(name: str, text: str) -> None:
    say(f"{name:<{WIDTH}}{text}")


def _list(name: str, lines: Sequence[str]) -> None:
    for number, text in enumerate(lines):
        _line("" if number else name, text)
