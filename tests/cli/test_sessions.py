"""Sessions of one patient from the pattern to the table: ids, record, and tests over patients."""

import json
from pathlib import Path

from tests.cli.conftest import Ubench


def test_sessions_of_patients_are_tested_as_patients(ubench: Ubench, cohort: Path) -> None:
    for number in range(5):
        patient = cohort / f"p{number // 2}"
        patient.mkdir(exist_ok=True)
        (cohort / f"case-{number}").rename(patient / f"t{number % 2}")
    data = ("--data", cohort, "--image", "{patient}/{session}/flair.nii.gz", "--split", "all-test")
    done = ubench("run", "threshold", "whole-brain", *data, "--reference", "{patient}/{session}/seg.nii.gz", "--json")
    assert done.code == 0
    record = json.loads((Path(done.json["runs"][0]["run"]) / "run.json").read_text())
    assert record["cases"] == ["p0_t0", "p0_t1", "p1_t0", "p1_t1", "p2_t0"]
    assert record["patients"] == {case: case[:2] for case in record["cases"]}
    compared = ubench("compare", "--json", "--stats")
    assert any("are over 3 patients with 5 sessions" in note for note in compared.json["notes"])
