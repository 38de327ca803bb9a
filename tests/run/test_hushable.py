from unseg_bench.run.progress import Hushable


class Listener:
    def __init__(self):
        self.heard = []

    def __getattr__(self, name):
        return lambda *values: self.heard.append((name, *values))


def test_stages_inside_a_hushed_block_are_not_told() -> None:
    listener = Listener()
    reporter = Hushable(listener)
    reporter.run_begins("a run")
    reporter.stage_begins("fit")
    reporter.stage_ends("fit", 1.0, False)
    with reporter.hushed():
        reporter.stage_begins("inner")
        reporter.step(1, 2, "of the inner stage")
        reporter.stage_ends("inner", 0.1, False)
        reporter.stage_ends("cached", 0.0, True)
        reporter.step(3, 4, "of the method itself")
        reporter.message("a word")
        reporter.stage_begins("broken off")
    reporter.step(5, 6, "afterwards")
    assert listener.heard == [
        ("run_begins", "a run"),
        ("stage_begins", "fit"),
        ("stage_ends", "fit", 1.0, False),
        ("step", 3, 4, "of the method itself"),
        ("message", "a word"),
        ("step", 5, 6, "afterwards"),
    ]
