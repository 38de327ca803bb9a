"""Bad input: one clean line, exit code 2, nothing computed."""

from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from tests.cli.conftest import Result, Ubench

ErrorLine = Callable[[Result], str]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "treshold"], "unknown method 'treshold'. Did you mean 'threshold'?"),
        (
            ["run", "threshold", "--set", "sigma=3"],
            "--set sigma: threshold has no such option. Did you mean 'sigma_mm'?",
        ),
        (["run", "threshold", "--set", "sigma_mm=much"], "option 'sigma_mm'"),
        (["run", "threshold", "--set", "sigma_mm"], "expected name=value"),
        (["run", "synthetic", "--set", "outline_sigmas_mm=1"], "is a list, written as [1, 2], not 1"),
        (["run", "threshold", "--preset", "papr"], "no preset 'papr'. Did you mean 'paper'?"),
        (["run", "threshold", "--dataset", "phantm"], "unknown data set 'phantm'. Did you mean 'phantom'?"),
        (["run", "threshold", "--image", "*.nii"], "data set 'phantom' has no option 'image'"),
        (["run", "threshold", "--dataset-option", "test"], "--dataset-option test: expected name=value"),
        (["run", "threshold", "--seed", "one"], "--seed one: expected whole numbers"),
        (["run", "threshold", "--seed", "-1"], "--seed -1: seeds are 0 or above"),
        (["run", "threshold", "--part", "tst"], "option 'part'"),
        (["run", "threshold", "--device", "gpu"], "--device gpu: not supported"),
        (["run", "threshold", "--config", "none.yaml"], "none.yaml: no such settings file"),
        (["run", "threshold", "--data", "nowhere"], "nowhere is not a folder"),
        (["run", "threshold", "--limt", "3"], "No such option: --limt"),
        (["run", "./none.py"], "none.py: no such file"),
        (["run"], "no method: name one"),
        (["rn"], "No such command 'rn'. Did you mean 'run'"),
        (["show", "none"], "no run 'none' in runs"),
        (["compare", "none"], "no run or method 'none'"),
        (["compare"], "no complete run here"),
        (["weights", "download", "sam-vit-c"], "unknown weights 'sam-vit-c'. Did you mean 'sam-vit"),
        (["clean", "stage"], "unknown kind 'stage'. Did you mean 'stages'?"),
        (["new-method", "2fast"], "'2fast' cannot name a method"),
        (["data", "check", "folder", "--data", "nowhere"], "nowhere is not a folder"),
        (["methods", "treshold"], "Did you mean 'threshold'?"),
        (["datasets", "foldr"], "Did you mean 'folder'?"),
    ],
)
def test_one_clean_line(ubench: Ubench, error_line: ErrorLine, arguments: list[str], said: str) -> None:
    assert said in error_line(ubench(*arguments))
    assert not Path("runs").exists()


def test_a_settings_file_with_an_unknown_name(ubench: Ubench, error_line: ErrorLine) -> None:
    Path("s.yaml").write_text("methds: [threshold]\n", encoding="utf-8")
    assert "unknown name 'methds'. Did you mean 'methods'?" in error_line(ubench("run", "--config", "s.yaml"))


def test_a_truncated_image(ubench: Ubench, cohort: Path, data: list[str]) -> None:
    for image in cohort.glob("*/flair.nii.gz"):
        image.write_bytes(image.read_bytes()[:2000])
    result = ubench("run", "threshold", *data)
    errors = [line for line in result.err.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1
    assert "flair.nii.gz" in errors[0]
    assert result.code == 2


def test_a_mask_on_another_grid(ubench: Ubench, cohort: Path, data: list[str]) -> None:
    for mask in cohort.glob("*/seg.nii.gz"):
        nib.Nifti1Image(np.ones((9, 9, 9), np.uint8), np.eye(4)).to_filename(mask)
    result = ubench("run", "threshold", *data)
    errors = [line for line in result.err.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1
    assert "seg.nii.gz" in errors[0]
    assert "grid" in errors[0]
    assert result.code == 2


def test_a_method_file_that_does_not_import(ubench: Ubench, error_line: ErrorLine) -> None:
    Path("broken.py").write_text("import no_such_module\n", encoding="utf-8")
    line = error_line(ubench("run", "./broken.py"))
    assert "broken.py could not be imported: ModuleNotFoundError" in line


@pytest.mark.parametrize("option", ["--runs", "--config"])
def test_a_path_that_is_something_else_is_named(ubench: Ubench, data: list[str], option: str) -> None:
    Path("file").write_bytes(b"\0")
    Path("folder").mkdir()
    wrong = {"--runs": "file/runs", "--config": "folder"}[option]
    result = ubench("run", "threshold", *data, option, wrong)
    assert result.code in {1, 2}
    assert result.err.splitlines()[-1].startswith("Error: ")
    assert wrong in result.err
    assert "unexpected" not in result.err


def test_debug_lets_errors_through_wherever_it_stands(ubench: Ubench) -> None:
    from unseg_bench.errors import PluginError

    for arguments in (["--debug", "methods", "none"], ["methods", "none", "--debug"]):
        with pytest.raises(PluginError):
            ubench(*arguments)


def test_an_unexpected_error_is_one_line_with_its_type(ubench: Ubench, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr("unseg_bench.plugins.manager.load_plugins", fail)
    result = ubench("methods")
    assert result.code == 1
    assert result.err == "Error: ZeroDivisionError: by zero (unexpected; run again with --debug for the traceback)\n"
