"""Tables of a sealed method: the runner writes them, and the run's folder stays shut."""

import pytest

from unseg_bench.errors import RunError
from unseg_bench.run.tables import read_table, read_tables

TELLS = """
class Tells(Method):
    name = "tells"
    def segment(self, volume, context):
        context.table("levels", [{"case": volume.case_id, "level": np.float32(0.5), "kept": True, "why": None}])
        %s
        return volume.brain
"""


def test_a_sealed_and_an_unsealed_run_leave_the_same_table(bench):
    bench.method(TELLS % "pass")
    tables = [read_table(bench.run(sealed=how, limit=1, force=True), "levels") for how in ("required", "off")]
    assert tables[0] == tables[1]
    (record,) = tables[0].records()
    assert record == {"case": bench.plan().case_ids[0], "level": 0.5, "kept": True, "why": None}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("context.table('../run', [{'a': 1}])", "a name is 1 to 64 letters"),
        ("context._host._line.ask('table', '../run', [{'a': 1}])", "a name is 1 to 64 letters"),
        ("context._host._line.ask('table', 't', [{'a': 1}, {'b': 2}])", "row 2 has the names"),
        ("context._host._line.ask('table', 't', [{'a': 'x' * 9_000_000}])", "more than 8,000,000 characters"),
    ],
)
def test_what_is_no_table_is_refused_inside_whoever_asks(bench, line, message):
    bench.method(TELLS % line)
    with pytest.raises(RunError, match=message):
        bench.run(sealed="required", limit=1)
    (run,) = (path.parent for path in (bench.folder / "runs").glob("*/*/run.json"))
    assert sorted(path.name for path in run.rglob("*.csv")) == ["levels.csv"]


def test_the_method_itself_cannot_write_there(bench):
    run = bench.method(TELLS % "pass").run(sealed="required", limit=1)
    shut = f"open({str(run.path / 'tables' / 'mine.csv')!r}, 'w')"
    with pytest.raises(RunError, match=r"(Permission denied|Read-only file system): .*the seal refused it"):
        bench.method(TELLS % shut).run(sealed="required", limit=1)
    assert [table.name for table in read_tables(run)] == ["levels"]
