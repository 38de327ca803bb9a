"""A run that found nothing in any case says so: at its end, in its record, when shown, and in every comparison."""

import json
from pathlib import Path

from tests.cli.conftest import Ubench


def test_a_run_whose_every_prediction_is_empty_says_so(ubench: Ubench, tiny: Path, data: list[str]) -> None:
    told = "every prediction is empty (2 of 2): the method found no tumour in any case"
    empty = ubench("run", tiny, *data, "--set", "level=50")
    assert empty.code == 0
    assert f"Warning: tiny (paper), seed 0: {told}\n" in empty.err
    again = ubench("run", tiny, *data, "--set", "level=50", "--json")
    assert told in again.err
    (run,) = again.json["runs"]
    assert run["all_empty"] is True
    assert json.loads((Path(run["run"]) / "run.json").read_text())["all_empty"] is True
    assert f"remark      {told}" in ubench("show", "tiny").out
    note = "found nothing, every prediction is empty: tiny level=50.0 (seed 0)"
    assert note in " ".join(ubench("compare").out.split())
    assert note in ubench("compare", "--json").json["notes"]


def test_a_run_that_found_something_says_nothing_of_the_kind(ubench: Ubench, tiny: Path, data: list[str]) -> None:
    done = ubench("run", tiny, *data, "--json")
    assert "empty" not in done.err
    assert done.json["runs"][0]["all_empty"] is False
    assert "every prediction is empty" not in ubench("compare").out + ubench("show", "tiny").out
