"""scores.csv: what is written comes back, and a damaged table is named."""

import csv

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unseg_bench.errors import ScoreError
from unseg_bench.score.record import CaseScore, Flag
from unseg_bench.score.table import COLUMNS, MOST_ROWS, read_named_scores, read_scores, write_named_scores, write_scores

NUMBERS = [0.1 + 0.2, 1 / 3, 0.0, 373.12866413, 5e-324, 1.0, 0.25, 2 / 3, 1e9, 17.3]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    numbers=st.lists(st.floats(0, 1e6), min_size=10, max_size=10),
    case=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_+-]{0,20}", fullmatch=True),
    flags=st.sets(st.sampled_from(list(Flag))),
)
def test_round_trip_to_the_last_bit(tmp_path_factory, numbers, case, flags):
    path = tmp_path_factory.mktemp("scores") / "scores.csv"
    scores = [CaseScore(case, *numbers, flags=tuple(flags)), CaseScore(case + "2", *NUMBERS)]
    write_scores(path, scores)
    assert read_scores(path) == scores


def test_plain_csv_that_others_can_read(tmp_path):
    write_scores(tmp_path / "scores.csv", [CaseScore("p1", *NUMBERS, flags=(Flag.NO_OVERLAP,))])
    with (tmp_path / "scores.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert list(row) == list(COLUMNS)
    assert row["case"] == "p1"
    assert float(row["tumour_ml"]) == 0.1 + 0.2
    assert row["flags"] == "no-overlap"
    assert [path.name for path in tmp_path.iterdir()] == ["scores.csv"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace("hd95_mm", "hd95"), "does not begin with the columns"),
        (lambda text: "", "does not begin with the columns"),
        (lambda text: text.replace("0.25", "abc"), "line 2: .*abc"),
        (lambda text: text.replace("0.25", "nan"), "line 2: case p1 .* not a number"),
        (lambda text: text.replace("0.25", "1e308"), "line 2: case p1 .* too large"),
        (lambda text: text.replace("p1", "../p1"), "line 2: case id '../p1'"),
        (lambda text: text.replace("p1", "\x1b[2Jp1"), r"line 2: case id '\\x1b\[2Jp1'"),
        (lambda text: text + "p2,1\n" * (MOST_ROWS + 1), "more than 100,000 rows"),
        (lambda text: text.replace("no-overlap", "odd"), "line 2: .*odd"),
        (lambda text: text[:-40], "line 2: "),
        (lambda text: text + text.splitlines()[1] + "\n", "two rows for case p1"),
    ],
)
def test_a_damaged_table_is_named(tmp_path, change, message):
    path = tmp_path / "scores.csv"
    write_scores(path, [CaseScore("p1", *NUMBERS, flags=(Flag.NO_OVERLAP,))])
    path.write_text(change(path.read_text()))
    with pytest.raises(ScoreError, match=message) as caught:
        read_scores(path)
    assert str(path) in str(caught.value)


def test_a_run_that_was_not_scored(tmp_path):
    with pytest.raises(ScoreError, match="not been scored"):
        read_scores(tmp_path / "scores.csv")


def test_scores_of_several_answers_by_name(tmp_path):
    path = tmp_path / "scores-alternatives.csv"
    scores = [CaseScore(f"c{n}", 1.0, 0.1 + 0.2, 0.5, 3.0, 4.0, 3.5, 0.5, 0.5, 0.5, 90.0) for n in range(2)]
    write_named_scores(path, {"q0.95": scores, "q0.99": scores[:1]})
    assert read_named_scores(path) == {"q0.95": scores, "q0.99": scores[:1]}
    assert path.read_text().splitlines()[1].startswith("q0.95,c0,1.0,0.30000000000000004,")
    with pytest.raises(ScoreError, match="does not begin with the columns case,"):
        read_scores(path)
    write_named_scores(path, {"q0.95": scores * 2})
    with pytest.raises(ScoreError, match="two rows for case c0"):
        read_named_scores(path)
