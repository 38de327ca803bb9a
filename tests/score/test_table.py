"""scores.csv: what is written comes back, and a damaged table is named."""

import csv

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unseg_bench.errors import ScoreError
from unseg_bench.score.metrics import BUILT_IN
from unseg_bench.score.record import CaseScore, Flag
from unseg_bench.score.table import (
    COLUMNS,
    DIGESTS,
    MOST_ROWS,
    read_named_scores,
    read_scores,
    write_named_scores,
    write_scores,
)

NUMBERS = [0.1 + 0.2, 1 / 3, 0.0, 373.12866413, 5e-324, 1.0, 0.25, 2 / 3, 1e9, 17.3]


def score_of(case, numbers, flags=(), **more):
    """A score of ten numbers in the order of the columns, and of a plugin's metrics."""
    tumour_ml, predicted_ml, *values, diagonal_mm = numbers
    values = dict(zip(BUILT_IN, values, strict=True)) | more
    return CaseScore(case, tumour_ml, predicted_ml, values, diagonal_mm, tuple(flags))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    numbers=st.lists(st.floats(0, 1e6), min_size=10, max_size=10),
    case=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_+-]{0,20}", fullmatch=True),
    flags=st.sets(st.sampled_from(list(Flag))),
)
def test_round_trip_to_the_last_bit(tmp_path_factory, numbers, case, flags):
    path = tmp_path_factory.mktemp("scores") / "scores.csv"
    scores = [score_of(case, numbers, flags), score_of(case + "2", NUMBERS)]
    write_scores(path, scores)
    assert read_scores(path) == scores


def test_metrics_of_plugins_come_last_and_one_without_a_column_has_no_value(tmp_path):
    path = tmp_path / "scores.csv"
    scores = [score_of("p1", NUMBERS, volume_error_ml=1 / 7), score_of("p2", NUMBERS)]
    write_scores(path, scores)
    assert path.read_text().splitlines()[0] == ",".join((*COLUMNS, "volume_error_ml"))
    assert read_scores(path) == scores
    with path.open(newline="") as file:
        older = [
            [cell for name, cell in row.items() if name not in {"recall", *DIGESTS}] for row in csv.DictReader(file)
        ]
    header = [name for name in (*COLUMNS, "volume_error_ml") if name not in {"recall", *DIGESTS}]
    path.write_text("".join(f"{','.join(row)}\n" for row in (header, *older)))
    for read, written in zip(read_scores(path), scores, strict=True):
        assert read.values == {name: value for name, value in written.values.items() if name != "recall"}


def test_plain_csv_that_others_can_read(tmp_path):
    write_scores(tmp_path / "scores.csv", [score_of("p1", NUMBERS, [Flag.NO_OVERLAP])])
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
        (lambda text: text.replace("hd95_mm", "hd95"), "does not have the columns case,.*hd95_mm"),
        (lambda text: text.replace("recall", "dsc"), "does not have the columns .* each once"),
        (lambda text: text.replace("case", "Case"), "does not have the columns"),
        (lambda text: "", "does not have the columns"),
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
    write_scores(path, [score_of("p1", NUMBERS, [Flag.NO_OVERLAP])])
    path.write_text(change(path.read_text()))
    with pytest.raises(ScoreError, match=message) as caught:
        read_scores(path)
    assert str(path) in str(caught.value)


def test_a_run_that_was_not_scored(tmp_path):
    with pytest.raises(ScoreError, match="not been scored"):
        read_scores(tmp_path / "scores.csv")


def test_scores_of_several_answers_by_name(tmp_path):
    path = tmp_path / "scores-alternatives.csv"
    scores = [score_of(f"c{n}", [1.0, 0.1 + 0.2, 0.5, 3.0, 4.0, 3.5, 0.5, 0.5, 0.5, 90.0]) for n in range(2)]
    write_named_scores(path, {"q0.95": scores, "q0.99": scores[:1]})
    assert read_named_scores(path) == {"q0.95": scores, "q0.99": scores[:1]}
    assert path.read_text().splitlines()[1].startswith("q0.95,c0,1.0,0.30000000000000004,")
    with pytest.raises(ScoreError, match="does not have the columns case,"):
        read_scores(path)
    write_named_scores(path, {"q0.95": scores * 2})
    with pytest.raises(ScoreError, match="two rows for case c0"):
        read_named_scores(path)
