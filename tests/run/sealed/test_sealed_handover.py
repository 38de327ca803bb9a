"""Maps and alternatives of a sealed method: the runner checks and writes them, and believes nothing that it is told."""

import pytest

from unseg_bench.errors import RunError

HANDS = """
class Hands(Method):
    name = "hands"
    def fit(self, training, validation, context):
        %s
    def segment(self, volume, context):
        context.keep_map(volume, volume.image.astype(np.float64))
        context.alternative(volume, "q0.95", volume.image > 1)
        %s
        return volume.brain
"""


def files_of(run):
    kept = [path for folder in ("maps", "alternatives") for path in (run.path / folder).rglob("*.nii.gz")]
    return {str(path.relative_to(run.path)): path.read_bytes() for path in kept}


def test_a_sealed_and_an_unsealed_run_hand_over_the_same(bench):
    bench.method(HANDS % ("pass", "pass"))
    kept = [files_of(bench.run(sealed=how, keep_maps=True, force=True)) for how in ("required", "off")]
    assert kept[0] == kept[1]
    cases = bench.plan().case_ids
    assert sorted(kept[0]) == sorted(
        f"{where}/{case}.nii.gz" for where in ("maps", "alternatives/q0.95") for case in cases
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("context.keep_map(volume, volume.image)", "has a map already"),
        ("context.alternative(volume, '../up', volume.brain)", "does not start with"),
        ("context._host._line.ask('alternative', volume.case_id, '../up', np.ones((2, 2, 2), bool))", "starts? with"),
        ("context._host._line.ask('alternative', volume.case_id, 'up', np.ones((2, 2, 2), bool))", "bool array"),
        ("context._host._line.ask('alternative', '../up', 'up', np.ones((2, 2, 2), bool))", "inside `segment`"),
        ("context._host._line.ask('keep_map', 'case-0', np.ones((1, 1, 1), np.float32))", "inside `segment`"),
    ],
)
def test_what_is_not_right_is_refused_inside_whoever_asks(bench, line, message):
    bench.method(HANDS % ("pass", line))
    with pytest.raises(RunError, match=message):
        bench.run(sealed="required", limit=1, keep_maps=True)
    assert sorted(path.name for path in (bench.folder / "runs").rglob("*.nii.gz")) == []


def test_not_finite_values_are_refused_by_the_runner_too(bench):
    line = "context._host._line.ask('keep_map', volume.case_id, np.full(volume.shape, np.nan, np.float32))"
    source = HANDS.replace("context.keep_map(volume, volume.image.astype(np.float64))", line)
    bench.method(source % ("pass", "pass"))
    with pytest.raises(RunError, match="not finite"):
        bench.run(sealed="required", limit=1, keep_maps=True)


@pytest.mark.parametrize("sealed", ["required", pytest.param("off", marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "line",
    [
        "[context.keep_map(volume, volume.image) for volume in training]",
        "[context.alternative(volume, 'a', volume.brain) for volume in training]",
    ],
)
def test_nothing_can_be_handed_over_while_learning(bench, sealed, line):
    bench.method(HANDS % (line, "pass"))
    with pytest.raises(RunError, match="inside `segment`"):
        bench.run(sealed=sealed, keep_maps=True)
