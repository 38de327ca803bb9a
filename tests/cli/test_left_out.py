"""A cohort that shrinks is counted by `data check` and by `run`; --allow-missing goes on."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Ubench

FOLDER = ("--image", "*/flair.nii.gz", "--reference", "*/seg.nii.gz", "--split", "all-test")


def test_what_is_left_out_is_counted_and_stops_a_run_until_it_is_allowed(
    ubench: Ubench, cohort: Path, error_line, tmp_path: Path
) -> None:
    data = ("--data", cohort, *FOLDER)
    made = tmp_path / "made"
    made.mkdir()
    for case in cohort.iterdir():
        (made / f"{case.name}.nii.gz").write_bytes((case / "seg.nii.gz").read_bytes())
    (cohort / "case-1/flair.nii.gz").unlink()
    (cohort / "case-1/flair.nii.gz").symlink_to("../.git/annex/objects/x/none.nii.gz")
    (cohort / "case-3/flair.nii.gz").unlink()
    checked = ubench("data", "check", "folder", *data, "--json")
    assert (checked.code, checked.json["cases"], len(checked.json["problems"])) == (2, 3, 2)
    for command in (("run", "threshold"), ("score", made, "--as", "theirs")):
        line = error_line(ubench(*command, *data))
        assert "1 image not there (case-1/flair.nii.gz): a git-annex link to nowhere" in line
        assert "1 reference without an image: case-3/seg.nii.gz. --allow-missing goes on without" in line
    assert not Path("runs").exists()
    allowed = ubench("data", "check", "folder", *data, "--allow-missing", "--json")
    assert (allowed.code, allowed.json["problems"]) == (0, [])
    for command in (("run", "threshold"), ("score", made, "--as", "theirs")):
        done = ubench(*command, *data, "--allow-missing")
        assert done.code == 0
        said = " ".join(done.err.split())
        assert "Warning: threshold (paper), seed 0: 1 image not there" in said or "Warning: 1 image not there" in said
        assert "1 reference without an image: case-3/seg.nii.gz" in said
    records = [json.loads(path.read_text()) for path in Path("runs").rglob("run.json")]
    assert [(len(record["cases"]), len(record["left_out"])) for record in records] == [(3, 2)] * 2


@pytest.mark.parametrize(
    "command", [("ablate", "studied"), ("sweep", "studied", "--over", "shift.by=0,1"), ("reproduce", "toys")]
)
def test_commands_of_many_runs_allow_it_too(
    ubench: Ubench, cohort: Path, studied: None, error_line, command: tuple[str, ...]
) -> None:
    (cohort / "case-3/flair.nii.gz").unlink()
    data = ("--data", cohort, *FOLDER[:-1], "2:0:2", "--sealed", "off", "--dry-run")
    assert "--allow-missing goes on without" in error_line(ubench(*command, *data))
    allowed = ubench(*command, *data, "--allow-missing", "--json")
    assert allowed.code == 0, allowed.err
