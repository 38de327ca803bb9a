"""`ubench audit`: the page of evidence, and a method put to the test."""

import hashlib
import json
import subprocess

import pytest

from unseg_bench.run.session.seal import kernel_obstacle


def test_evidence_of_a_run_on_one_page(ubench, data, tiny):
    if (reason := kernel_obstacle()) is not None:
        pytest.skip(reason)
    run = ubench("run", tiny, *data, "--json").json["runs"][0]["run"]
    page = ubench("audit", run)
    assert page.code == 0
    lines = page.out.splitlines()
    assert len(lines) < 70
    assert "label-free  yes (sealed)" in lines
    assert any(line.startswith("seal        sealed: Landlock ABI") for line in lines)
    assert any("read the reference mask of case-" in line for line in lines)
    assert any(line.endswith("3 volumes of 'train'") or "volumes of 'test'" in line for line in lines)
    assert "labels read none" in lines
    assert ubench("audit", run.rpartition("/")[2]).out == page.out


def test_digest_of_the_predictions_is_that_of_sha256sum(ubench, data, tiny):
    run = ubench("run", tiny, *data, "--json").json["runs"][0]["run"]
    evidence = ubench("audit", run, "--json").json
    listing = subprocess.run(
        "sha256sum *.nii.gz", shell=True, check=True, capture_output=True, cwd=f"{run}/predictions"
    )
    assert evidence["digests"]["predictions"] == hashlib.sha256(listing.stdout).hexdigest()
    assert set(evidence["digests"]) >= {"data set", "images, train", "images, test"}


def test_evidence_of_a_run_that_read_labels(ubench, data, tiny):
    source = tiny.read_text().replace("import Method,", "import Supervision, Method,")
    source = source.replace('name = "tiny"', 'name = "tiny"\n    supervision = Supervision.MASKS')
    source = source.replace(
        "def fit(self, training, validation, context):",
        "def fit(self, training, validation, context):\n"
        "        [context.labels.mask(case, 'to learn') for case in training.case_ids]",
    )
    tiny.write_text(source)
    run = ubench("run", tiny, *data, "--json").json["runs"][0]["run"]
    page = ubench("audit", run).out
    assert "label-free  no: 3 masks" in page
    assert "seal        sealed: Landlock ABI" in page
    assert "labels read 3 mask, for 'to learn', 20" in page


def test_evidence_says_whose_masks_went_in(ubench, data, tiny):
    source = ubench("run", tiny, *data, "--sealed", "off", "--json").json["runs"][0]["run"]
    refines = tiny.with_name("refines.py")
    refines.write_text(
        "from unseg_bench import Method, MethodOptions\n"
        "class Options(MethodOptions):\n"
        "    source: str = ''\n"
        "class Refines(Method):\n"
        "    name, Options = 'refines', Options\n"
        "    def segment(self, volume, context):\n"
        "        return context.predicted_mask(self.options.source, volume.case_id)\n"
    )
    asked = ("--set", f"source={source}", "--sealed", "off", "--json")
    run = ubench("run", refines, *data, *asked).json["runs"][0]["run"]
    lines = ubench("audit", run).out.splitlines()
    assert f"masks from  {source.rpartition('/')[2]}: 2 masks, made without a seal" in lines
    assert not any(line.startswith("masks from") for line in ubench("audit", source).out.splitlines())


def test_evidence_of_an_unsealed_run_says_so(ubench, data, tiny):
    run = ubench("run", tiny, *data, "--sealed", "off", "--json").json["runs"][0]["run"]
    page = ubench("audit", run).out
    assert "label-free  not sealed" in page
    assert "seal        none: --sealed off" in page
    installed = ubench("run", "threshold", *data, "--sealed", "off", "--json").json["runs"][0]["run"]
    page = ubench("audit", installed).out
    assert "label-free  yes (ledger)" in page
    assert "the method opened 0 files, 0 files of the data set, and started 0 programs" in page


def test_sealed_takes_three_words(ubench, data, tiny, error_line):
    assert "'auto', 'required' or 'off'" in error_line(ubench("run", tiny, *data, "--sealed", "maybe"))


COPIES = """
from unseg_bench import Method, Supervision

class Copies(Method):
    name = "copies"
    supervision = Supervision.TEST_MASKS
    def segment(self, volume, context):
        return context.labels.mask(volume.case_id, "copy")
"""


@pytest.mark.slow
def test_a_method_put_to_the_test(ubench, tmp_path):
    (tmp_path / "copies.py").write_text(COPIES)
    honest = ubench("audit", "threshold", "--json")
    assert honest.code == 0
    assert honest.json["differing"] == []
    assert len(honest.json["cases"]) == 2
    copies = ubench("audit", tmp_path / "copies.py")
    assert copies.code == 0
    assert "2 of 2 cases differ with other references: phantom-" in copies.out
    assert "it declares supervision 'test-masks', so they may" in copies.out
    assert json.dumps(honest.json["supervision"]) == '"none"'
