"""How a run tells how far it is."""

import io

import pytest

from unseg_bench.console import reporters
from unseg_bench.console.plain import PlainConsole
from unseg_bench.console.reporters import LiveReporter, OpenStage, PlainReporter
from unseg_bench.run.progress import Reporter


def tell(reporter: Reporter) -> None:
    reporter.run_begins("tiny (paper), seed 0")
    reporter.stage_ends("slices", 3.0, cached=True)
    reporter.stage_begins("unet")
    reporter.step(1, 10, "loss 0.50")
    reporter.step(2, 10, "loss 0.25")
    reporter.stage_ends("unet", 75.0, cached=False)
    reporter.message("a [word]")
    reporter.stage_begins("segment")
    reporter.stage_ends("slices", 3.0, cached=True)
    reporter.stage_ends("segment", 0.5, cached=False)


def test_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with PlainReporter(seconds_between_lines=60) as reporter:
        tell(reporter)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [
        "tiny (paper), seed 0",
        "  slices kept from before (3.0 s)",
        "  unet ...",
        "  unet done (1 min 15 s)",
        "  a [word]",
        "  segment ...",
        "  segment done (0.5 s)",
    ]


def test_plain_lines_between(capsys: pytest.CaptureFixture[str]) -> None:
    with PlainReporter(seconds_between_lines=0) as reporter:
        reporter.stage_begins("unet")
        reporter.step(1, 10, "loss 0.50")
    assert "  unet 1/10, loss 0.50" in capsys.readouterr().err


def test_live_bar_and_list(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    console = PlainConsole(file=screen, force_terminal=True, width=80, color_system=None)
    monkeypatch.setattr(reporters, "stderr", lambda: console)
    with LiveReporter() as reporter:
        tell(reporter)
        reporter.stage_begins("score")
        reporter.step(3, 8, "case-3")
        reporter._progress.refresh()
    text = screen.getvalue()
    for part in ("tiny (paper), seed 0", "✓ slices", "✓ unet", "1 min 15 s", "a [word]", "score", "3/8", "case-3"):
        assert part in text
    assert text.count("✓ slices") == 1


def test_time_left_is_judged_from_the_first_step_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([100.0, 110.0, 120.0])
    stage = OpenStage("unet")
    monkeypatch.setattr(reporters.time, "monotonic", lambda: next(clock))
    assert stage.left(300, 400) == ""
    assert stage.left(310, 400) == "1 min 30 s left"
    assert stage.left(400, 400) == ""
