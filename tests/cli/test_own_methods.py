"""`new-method` and `check`: a stranger's first steps."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Ubench


def test_a_new_method_passes_check_and_its_own_test(ubench: Ubench) -> None:
    made = ubench("new-method", "my-method")
    assert made.code == 0
    assert "wrote my_method.py" in made.out
    checked = ubench("check", "./my_method.py")
    assert checked.code == 0
    assert "all checks passed" in checked.out
    own = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_my_method.py"],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert "2 passed" in own.stdout, own.stdout


def test_a_new_method_runs(ubench: Ubench, data: list[str]) -> None:
    ubench("new-method", "bright", "--folder", "methods")
    done = ubench("run", "methods/bright.py", *data, "--set", "level=1.2", "--json")
    assert done.json["runs"][0]["method"] == "bright"
    assert done.json["runs"][0]["dsc"] > 0.4


@pytest.mark.parametrize("existing", ["mine.py", "test_mine.py"])
def test_nothing_is_overwritten(ubench: Ubench, existing: str) -> None:
    Path(existing).write_text("precious", encoding="utf-8")
    refused = ubench("new-method", "mine")
    assert refused.code == 2
    assert f"{existing} exists already" in refused.err
    assert [path.name for path in Path().iterdir()] == [existing]
    assert Path(existing).read_text(encoding="utf-8") == "precious"


def test_check_says_what_fails(ubench: Ubench) -> None:
    Path("wrong.py").write_text(
        "import numpy as np\n"
        "from unseg_bench import Method\n"
        "class Wrong(Method):\n"
        "    name = 'wrong'\n"
        "    def segment(self, volume, context):\n"
        "        return np.zeros((3, 3, 3))\n",
        encoding="utf-8",
    )
    shown = ubench("check", "./wrong.py")
    assert shown.code == 1
    assert "must return a bool array" in " ".join(shown.out.split())
    failed = {one["name"] for one in ubench("check", "./wrong.py", "--json").json if not one["passed"]}
    assert "segments" in failed


def test_check_of_a_data_set(ubench: Ubench, cohort: Path) -> None:
    options = ("image=*/flair.nii.gz", "reference=*/seg.nii.gz", "split=3:1:1", "split_seed=2")
    words = [word for option in options for word in ("--dataset-option", option)]
    assert ubench("check", "folder", "--data", cohort, *words).code == 0


def test_data_check_names_the_file_at_fault(ubench: Ubench, cohort: Path) -> None:
    words = ["data", "check", "folder", "--data", cohort, "--image", "*/flair.nii.gz", "--reference", "*/seg.nii.gz"]
    assert ubench(*words).code == 0
    bad = cohort / "case-3" / "flair.nii.gz"
    bad.write_bytes(b"not an image")
    shown = ubench(*words)
    assert shown.code == 2
    assert f"problem: {bad}" in shown.out
    assert ubench(*words, "--json").json["problems"][0].startswith(str(bad))
