"""Real tumours, changed by known recipes, against stored values of six libraries."""

import csv
import importlib.util
from functools import cache

import pytest

from unseg_bench.data.nifti import read_labels
from unseg_bench.score.case import score_case
from unseg_bench.score.record import Flag

STORED_TO = 1e-6
FLOAT32_TO = 2e-5  # MONAI's values were float32
DIAGONAL_MM = 373.128664


@pytest.fixture(scope="module")
def recipe(shared_dir):
    spec = importlib.util.spec_from_file_location("metrics_recipe", shared_dir / "metrics_recipe.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def rows(shared_dir):
    with (shared_dir / "metrics_reference.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def tumour(shared_dir):
    @cache
    def read(case):
        if case.startswith("brats2021"):
            path = shared_dir / "data" / case / "BraTS2021_00006_seg.nii.gz"
        else:
            path = shared_dir / "data" / "brats2013" / case / "OTMultiClass.nii.gz"
        return read_labels(path).data > 0

    return read


def _check_row(row, recipe, mask):
    reference, prediction, spacing_mm = recipe.build(row["perturbation"], mask)
    assert recipe.checksum(prediction) == row["prediction_checksum"]
    score = score_case(prediction, reference, spacing_mm)
    assert score.dsc == pytest.approx(float(row["dsc_medpy"]), abs=STORED_TO)
    if Flag.EMPTY_PREDICTION in score.flags or Flag.EMPTY_REFERENCE in score.flags:
        assert row["hd95_medpy"] == "RuntimeError"
        assert score.hd95_mm == pytest.approx(0.0 if score.dsc == 1.0 else DIAGONAL_MM, abs=STORED_TO)
        return
    assert score.hd95_mm == pytest.approx(float(row["hd95_medpy"]), abs=STORED_TO)
    assert score.values["hd95_max_directed_mm"] == pytest.approx(float(row["hd95_monai"]), abs=FLOAT32_TO)
    assert (
        score.values["hd_max_mm"] >= float(row["hd_max_simpleitk"]) - FLOAT32_TO
    )  # ITK also measures from inner voxels: never more


def test_one_case_under_every_recipe(recipe, rows, tumour):
    case = "brats_2013_pat0002_1"
    own = [row for row in rows if row["case"] == case]
    assert len(own) == len(recipe.NAMES)
    for row in own:
        _check_row(row, recipe, tumour(case))


@pytest.mark.slow
def test_the_other_cases(recipe, rows, tumour):
    others = [row for row in rows if row["case"] != "brats_2013_pat0002_1"]
    assert len(others) == 42
    for row in others:
        _check_row(row, recipe, tumour(row["case"]))
