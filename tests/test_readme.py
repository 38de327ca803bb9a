"""The README's commands are the ones that CI runs, and those that need data run on a small cohort here."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
GUIDES = [README, *(path.read_text() for path in sorted((ROOT / "docs").glob("*.md")))]
CI = (ROOT / ".ci" / "run").read_text()
SETUP = re.findall(r"^<!-- ci: (\w+) -->\n```bash\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
COMMANDS = [
    line
    for block in re.findall(r"^```bash\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
    if line.startswith("ubench ")
]


def ubench(folder, command):
    program, *arguments = shlex.split(command)
    assert program == "ubench"
    return subprocess.run(
        [str(Path(sys.executable).with_name("ubench")), *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )


@pytest.fixture(scope="module")
def patients(tmp_path_factory):
    """Small cases in both layouts at once: BraTS2020's 369 folders, each with flair.nii.gz and seg.nii.gz too."""
    root = tmp_path_factory.mktemp("patients")
    rng = np.random.default_rng(0)
    for number in range(1, 370):
        image, labels = np.zeros((9, 10, 8), np.float32), np.zeros((9, 10, 8), np.uint8)
        image[2:7, 2:8, 1:6] = rng.integers(50, 500, (5, 6, 5))
        image[3:5, 3:5, 2:4] += 600
        labels[3:5, 3:5, 2:4] = 1
        name = f"BraTS20_Training_{number:03d}"
        for kind, array in (("flair", image), ("seg", labels)):
            path = root / "brats" / name / f"{name}_{kind}.nii"
            path.parent.mkdir(parents=True, exist_ok=True)
            nib.save(nib.Nifti1Image(array, np.eye(4)), path)
            if number <= 10:
                own = root / "own" / f"p{number}" / f"{kind}.nii.gz"
                own.parent.mkdir(parents=True, exist_ok=True)
                nib.save(nib.Nifti1Image(array, np.eye(4)), own)
    return root


def test_there_are_two_set_up_commands_and_two_that_look_at_the_first_run():
    assert [name for name, _ in SETUP] == ["run", "table", "pictures", "test"]
    assert all(block.count("\n") == 1 for _, block in SETUP)
    assert README.count("-m venv") == 2


def test_ci_takes_its_commands_from_the_readme():
    for name, _ in SETUP:
        assert re.search(rf"(run_block|readme_block) {name}\b", CI)
    assert "pip install -q -c constraints.txt" not in CI


def test_set_up_commands_use_the_pinned_versions():
    for name, block in SETUP:
        if name in {"run", "test"}:
            assert "-c constraints.txt" in block


@pytest.mark.parametrize("text", GUIDES, ids=lambda text: text.splitlines()[0])
def test_links_between_the_guides_lead_somewhere(text):
    folder = ROOT if text is README else ROOT / "docs"
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (folder / target).exists(), target


@pytest.mark.slow
def test_commands_on_real_data_work_in_order(patients, tmp_path):
    """As written, DIR filled in; CLISC is planned and not computed, since that takes minutes."""
    data = [command for command in COMMANDS if "DIR" in command]
    assert len(data) == 4
    for command in data:
        filled = command.replace("DIR", str(patients / ("brats" if "brats2020" in command else "own")))
        if "run clisc" in filled:
            done = ubench(tmp_path, filled + " --dry-run")
            assert done.returncode == 0, done.stdout + done.stderr
            filled = filled.replace("run clisc threshold", "run threshold") + " --limit 3"
        done = ubench(tmp_path, filled)
        assert done.returncode == 0, f"{filled}\n{done.stdout}{done.stderr}"
    done = ubench(tmp_path, "ubench compare --by-size")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_commands_that_take_a_paper_apart_tell_what_they_would_do(tmp_path):
    planned = [command for command in COMMANDS if command.endswith(" --dry-run")]
    assert [command.split()[1] for command in planned] == ["ablate", "ablate", "ablate", "sweep", "reproduce"]
    for command in planned:
        done = ubench(tmp_path, command)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        assert "nothing was computed" in done.stdout + done.stderr


@pytest.mark.slow
def test_commands_for_a_method_of_ones_own_work_in_order(patients, tmp_path):
    start = COMMANDS.index("ubench new-method mine")
    assert COMMANDS[start + 1 : start + 4] == [
        "ubench check ./mine.py",
        "ubench run ./mine.py threshold",
        "ubench compare --by-size",
    ]
    small = " --dataset-option train=2 --dataset-option valid=1 --dataset-option test=6 --dataset-option spacing_mm=4"
    for command in COMMANDS[start : start + 4]:
        done = ubench(tmp_path, command + (small if " run " in command else ""))
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    assert "mine" in done.stdout
    shown = COMMANDS[start + 4 :]
    assert [command.split()[1] for command in shown] == ["audit", "compare", "compare", "report"]
    for command in shown:
        done = ubench(tmp_path, command)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    assert {path.name for path in tmp_path.iterdir()} >= {"table.tex", "cases.csv", "report.html"}


def test_the_first_commands_of_the_readme_are_the_ones_of_the_help():
    done = ubench(ROOT, "ubench --help")
    assert done.returncode == 0
    for name in {command.split()[1] for command in COMMANDS}:
        assert name in done.stdout
