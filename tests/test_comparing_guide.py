"""The guide on comparing: its commands run in order on a small cohort, and what it says of options and files is so."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import typer

from unseg_bench.cli.main import app
from unseg_bench.compare.settings import ALPHA, EMPTY_POLICIES, MISSING_RULES, RANK_POLICY
from unseg_bench.compare.statistics.record import CORRECTIONS, StatisticsSettings
from unseg_bench.compare.statistics.significance import EXACT_CASES
from unseg_bench.errors import SettingsError
from unseg_bench.report.exports import check_path
from unseg_bench.report.figures.names import FigureName
from unseg_bench.report.notes import BELOW_FLOOR

ROOT = Path(__file__).resolve().parents[1]
GUIDE = (ROOT / "docs" / "comparing.md").read_text()
FLAT = " ".join(GUIDE.split())
COMMANDS = [
    line
    for block in re.findall(r"^```bash\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
]
SHAPE, TEST_CASES = (12, 14, 10), 75


def first_column(heading):
    """The words in code of the first column of the table that begins with this heading."""
    rows = GUIDE.partition(f"\n| {heading} |")[2].partition("\n\n")[0].splitlines()[2:]
    return [word for row in rows for word in re.findall(r"`([^`]+)`", row.split("|")[1])]


def ubench(folder, command):
    """Run a command as it stands in the guide, DIR and DATA filled in."""
    places = {"DIR": str(folder / "masks"), "DATA": str(folder / "data")}
    program, *arguments = [places.get(word, word) for word in shlex.split(command)]
    assert program == "ubench"
    done = subprocess.run(
        [str(Path(sys.executable).with_name("ubench")), *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """BraTS2020's 369 cases in small, a mask of another program for each, and a run of the threshold on them."""
    root = tmp_path_factory.mktemp("guide")
    (root / "masks").mkdir()
    rng = np.random.default_rng(0)
    x, y, z = np.mgrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    for number in range(1, 370):
        brain = (x - 6) ** 2 + (y - 7) ** 2 + (z - 5) ** 2 < 24
        tumour = brain & ((x - 5) ** 2 + (y - 6) ** 2 + (z - 5) ** 2 < 1 + number % 9)
        image = np.where(brain, rng.integers(80, 120, SHAPE) + 400 * tumour, 0).astype(np.float32)
        name = f"BraTS20_Training_{number:03d}"
        own = root / "data" / name
        own.mkdir(parents=True)
        nib.save(nib.Nifti1Image(image, np.eye(4)), own / f"{name}_flair.nii")
        nib.save(nib.Nifti1Image(tumour.astype(np.uint8), np.eye(4)), own / f"{name}_seg.nii")
        found = np.roll(tumour, number % 2, axis=0).astype(np.uint8)
        nib.save(nib.Nifti1Image(found, np.eye(4)), root / "masks" / f"{name}.nii.gz")
    ubench(root, "ubench run threshold --dataset brats2020 --data DATA --device cpu")
    return root


@pytest.mark.slow
def test_its_commands_work_as_they_stand(folder):
    """The masks made elsewhere come first, so that there are two rows."""
    (score,) = [command for command in COMMANDS if command.startswith("ubench score")]
    assert f"{TEST_CASES}" in ubench(folder, score)
    said = {command: ubench(folder, command) for command in COMMANDS if command != score}
    assert len(said) == 8
    table = said["ubench compare --by-size"]
    assert "nnunet" in table
    assert "unknown (made elsewhere)" in " ".join(table.split())
    assert "n=15" in table
    claims = said["ubench compare --stats --claims --reference threshold"]
    assert "sign-flip" in claims
    assert "(exploratory: these data chose the reference)" not in claims
    assert (folder / "report.html").read_text().count("BraTS20_Training_") >= TEST_CASES
    for name in ("table.tex", "table.md", "cases.csv", "cases.challenger.csv"):
        assert (folder / name).stat().st_size > 0
    assert (folder / "cases.csv").read_text().count("\n") == 1 + 2 * TEST_CASES
    drawn = {path.name for path in (folder / "figures").iterdir()}
    for name in set(FigureName) - {FigureName.SWEEP, FigureName.CRITICAL_DIFFERENCE}:
        assert {f"{name}.svg", f"{name}.pdf"} <= drawn
    assert said["ubench cases threshold --worst 3"].count("BraTS20_Training_") == 3


@pytest.mark.slow
def test_statistics_are_in_the_files_that_it_names(folder):
    named = re.search(r"the (`\.md`[^;]*?) files of `--out` hold them", FLAT)
    assert named is not None
    suffixes = re.findall(r"`(\.\w+)`", named[1])
    assert suffixes == [".md", ".tex", ".html", ".json"]
    ubench(folder, "ubench compare threshold " + " ".join(f"--out all{suffix}" for suffix in suffixes))
    for suffix in suffixes:
        assert "bootstraps" in (folder / f"all{suffix}").read_text(), suffix
    assert json.loads((folder / "all.json").read_text())["statistics"]["settings"]["resamples"] == 9_999


def test_every_option_is_one_of_the_commands_in_the_guide():
    names = {*(command.split()[1] for command in COMMANDS), *re.findall(r"`ubench (\w+)", GUIDE)}
    commands = typer.main.get_command(app).commands
    known = {option for name in names for param in commands[name].params for option in param.opts}
    wanted = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", GUIDE))
    assert len(wanted) > 15
    assert wanted <= known


def test_files_are_those_that_can_be_written():
    with pytest.raises(SettingsError) as error:
        check_path(Path("table.doc"))
    assert sorted(first_column("suffix")) == sorted(str(error.value).partition("endings: ")[2].split(", "))


def test_rules_and_policies_are_all_there_are():
    assert first_column("`--missing`") == list(MISSING_RULES)
    assert first_column("policy") == [*EMPTY_POLICIES, RANK_POLICY]


def test_numbers_and_marks_are_the_defaults():
    default = StatisticsSettings()
    for words in (
        f"all 2^n signs up to {EXACT_CASES} cases, {default.resamples:,} draws above",
        f"{default.bootstraps:,} bootstraps over patients",
        f"within `--margin` ({default.margin:g} DSC)",
        f"(Holm; `--correction {CORRECTIONS[1]}`)",
        f"paired t, p < {ALPHA:g}, uncorrected",
        f"**`{BELOW_FLOOR}`** marks a method",
    ):
        assert words in FLAT, words
    assert default.correction == "holm"
