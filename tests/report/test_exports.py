"""Files by suffix: what is in them reads back equal."""

import csv
import json
from dataclasses import replace

import pytest
from pyarrow import parquet

from unseg_bench.errors import SettingsError
from unseg_bench.report import exports
from unseg_bench.report.case_rows import columns_of

SAM = "sam|x_1 & <script>"


def read_csv(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_csv_reads_back_equal(make, tmp_path):
    comparison = make()
    exports.write(comparison, tmp_path / "cases.csv")
    rows = read_csv(tmp_path / "cases.csv")
    assert tuple(rows[0]) == columns_of(comparison)
    assert len(rows) == len(comparison.entries)
    for row, entry in zip(rows, comparison.entries, strict=True):
        for name, value in {"tumour_ml": entry.tumour_ml, "predicted_ml": entry.predicted_ml, **entry.values}.items():
            assert row[name] == "" if value is None else float(row[name]) == value
        assert row["label"].removeprefix("'") == entry.label
        assert int(row["seeds"]) == entry.seeds
        assert int(row["empty_predictions"]) == entry.empty_predictions
        assert (row["dataset"], row["split"], row["part"], row["label_free"]) == ("phantom", "s_1", "test", "sealed")
        assert row["evidence"] == "false"
        assert row["below_floor"] == ("true" if entry.label == SAM else "false")
        assert row["is_floor"] == ("true" if entry.label == "threshold" else "false")


def test_text_that_a_spreadsheet_would_run_is_quoted(make, tmp_path):
    exports.write(make(), tmp_path / "cases.csv")
    rows = read_csv(tmp_path / "cases.csv")
    assert {row["label"] for row in rows} == {"clisc", "threshold", SAM, "'=cmd"}
    assert "'-case9" in {row["case"] for row in rows}
    assert not any(value.startswith(("=", "+", "-", "@")) for row in rows for value in row.values())


def test_parquet_reads_back_equal(make, tmp_path):
    comparison = make()
    exports.write(comparison, tmp_path / "cases.parquet")
    table = parquet.read_table(tmp_path / "cases.parquet")
    assert tuple(table.column_names) == columns_of(comparison)
    rows = table.to_pylist()
    assert [row["label"] for row in rows] == [entry.label for entry in comparison.entries]
    for name in ("case", "group", "tumour_ml", "predicted_ml", "seeds", "empty_predictions"):
        assert [row[name] for row in rows] == [getattr(entry, name) for entry in comparison.entries]
    for name in ("dsc", "hd95_mm"):
        assert [row[name] for row in rows] == [entry.values[name] for entry in comparison.entries]
    assert table.schema.field("dsc").type == "double"
    assert table.schema.field("evidence").type == "bool"
    assert json.loads(table.schema.metadata[b"unseg-bench"]) == json.loads(comparison.to_json())


def test_challenger_form(make, tmp_path):
    comparison = make()
    exports.write(comparison, tmp_path / "all.challenger.csv")
    rows = read_csv(tmp_path / "all.challenger.csv")
    assert list(rows[0]) == ["task", "case", "algorithm", "value", "note"]
    assert [row["task"] for row in rows] == ["dsc"] * 40 + ["hd95_mm"] * 40
    keys = {(row["task"], row["case"], row["algorithm"]) for row in rows}
    assert len(keys) == len(rows)
    missing = [(row["task"], row["case"], row["algorithm"]) for row in rows if row["value"] == "NA"]
    assert missing == [("dsc", "case0", SAM), ("hd95_mm", "case0", SAM)]
    assert float(rows[0]["value"]) == 0.856
    phantom = "phantom figures are no evidence about the real methods"
    assert {row["algorithm"]: row["note"] for row in rows} == {
        "clisc": phantom,
        "threshold": phantom,
        SAM: f"below the floor threshold; 1 of 10 predictions missing; {phantom}",
        "'=cmd": phantom,
    }


def test_json_is_the_comparisons_own(make, tmp_path):
    comparison = make()
    exports.write(comparison, tmp_path / "all.json")
    text = (tmp_path / "all.json").read_text(encoding="utf-8")
    assert text == comparison.to_json()
    read = json.loads(text)
    assert read["schema"] == "unseg-bench/comparison/4"
    assert read["statistics"]["families"][0]["pairs"][0]["sign_flip"]["p_adjusted"] == 0.0234
    assert read["published"]["rows"][0]["cells"]["dsc"] == {"mean": 0.797, "sd": 0.0958}
    assert [row["below_floor"] for row in read["rows"]] == [False, False, True, False]
    assert read["evidence"] is False


@pytest.mark.parametrize("name", ["t.md", "t.tex", "t.json", "t.csv", "t.challenger.csv", "T.MD"])
def test_files_replace_older_ones_whole(make, tmp_path, name):
    path = tmp_path / "new" / name
    exports.write(make(evidence=True), path)
    first = path.read_bytes()
    exports.write(make(), path)
    assert path.read_bytes() != first
    assert [one.name for one in path.parent.iterdir()] == [name]


def test_a_failure_leaves_the_older_file(make, tmp_path):
    path = tmp_path / "t.json"
    exports.write(make(), path)
    before = path.read_bytes()
    broken = make()
    with pytest.raises(ValueError, match="not JSON compliant"):
        exports.write(replace(broken, alpha=float("nan")), path)
    assert path.read_bytes() == before


def test_html_is_the_page(make, tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr("unseg_bench.report.page.write_page", lambda *given: written.append(given))
    comparison = make()
    exports.write(comparison, tmp_path / "t.html")
    assert written == [(comparison, tmp_path / "t.html")]


@pytest.mark.parametrize("name", ["t.xlsx", "t", ".csv", "t.csv.gz"])
def test_unknown_suffixes_name_the_known_ones(tmp_path, name):
    with pytest.raises(SettingsError, match=r"Known endings: \.md, \.tex, \.html, \.json, \.csv, \.parquet, \.chal"):
        exports.check_path(tmp_path / name)


def test_a_folder_is_no_file(tmp_path):
    (tmp_path / "t.md").mkdir()
    with pytest.raises(SettingsError, match="is a folder; name a file in it"):
        exports.check_path(tmp_path / "t.md")


def test_parquet_without_pyarrow_names_the_remedy(tmp_path, monkeypatch):
    monkeypatch.setattr(exports, "find_spec", lambda name: None)
    with pytest.raises(SettingsError, match=r"pip install 'unseg-bench\[parquet\]'"):
        exports.check_path(tmp_path / "t.parquet")
    exports.check_path(tmp_path / "t.csv")
