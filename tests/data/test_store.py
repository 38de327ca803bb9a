import gzip
import hashlib
import os
import shutil
import subprocess
import sys
import tracemalloc

import nibabel as nib
import numpy as np
import pytest

from unseg_bench.data import content as content_module
from unseg_bench.data import prepare as prepare_module
from unseg_bench.data import store as store_module
from unseg_bench.data.nifti import read_image
from unseg_bench.data.prepare import prepare
from unseg_bench.data.store import PreparedStore, build_cohort
from unseg_bench.errors import DataError
from unseg_bench.plugins.dataset import ImageFile


def silent(done, total, what):
    pass


def test_a_case_is_prepared_once_and_opened_as_a_read_only_map(small, tmp_path, monkeypatch):
    store = PreparedStore(tmp_path / "store")
    case = store.prepare("a", small.image("a"))
    monkeypatch.setattr(store_module, "read_image", lambda *_: pytest.fail("read the image again"))
    again = store.prepare("a", small.image("a"))
    assert again.digest == case.digest
    volume = again.volume()
    image, brain, placement = prepare(read_image(small.image("a").path))
    assert np.array_equal(volume.image, image)
    assert np.array_equal(volume.brain, brain)
    assert again.placement == placement
    assert volume.spacing_mm == pytest.approx((2.0, 1.5, 3.0))
    assert isinstance(volume.image.base, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        volume.image[0, 0, 0] = 1


def test_the_digest_follows_content_channel_and_version_not_the_name(small, tmp_path, monkeypatch):
    store = PreparedStore(tmp_path / "store")
    source = small.image("a")
    shutil.copy(source.path, tmp_path / "renamed.nii.gz")
    digest = store.prepare("a", source).digest
    assert store.prepare("z", ImageFile(tmp_path / "renamed.nii.gz")).digest == digest
    assert store.prepare("b", small.image("b")).digest != digest
    assert store.prepare("a", ImageFile(source.path, 0)).digest != digest
    monkeypatch.setattr(content_module, "PREPARATION_VERSION", prepare_module.PREPARATION_VERSION + 1)
    assert store.prepare("a", source).digest != digest


def test_a_changed_file_gets_a_new_digest(small, tmp_path):
    store = PreparedStore(tmp_path / "store")
    source = small.image("a")
    first = store.prepare("a", source).digest
    status = source.path.stat()
    shutil.copy(small.image("b").path, source.path)
    os.utime(source.path, ns=(status.st_atime_ns, status.st_mtime_ns))
    changed = store.prepare("a", source)
    assert changed.digest != first
    assert changed.digest == store.prepare("b", small.image("b")).digest
    assert changed.sha256 == hashlib.sha256(source.path.read_bytes()).hexdigest()


def test_an_image_that_changes_while_it_is_read_is_kept_under_no_digest(small, tmp_path, monkeypatch):
    source = small.image("a")

    def read_late(path, channel):
        shutil.copy(small.image("b").path, path)
        return read_image(path, channel)

    monkeypatch.setattr(store_module, "read_image", read_late)
    with pytest.raises(DataError, match="changes while it is read; call again"):
        PreparedStore(tmp_path / "store").prepare("a", source)
    assert not (tmp_path / "store").exists()


def test_predictions_are_on_the_image_s_own_grid_even_if_the_image_is_gone(small, tmp_path):
    store = PreparedStore(tmp_path / "store")
    case = store.prepare("a", small.image("a"))
    original = nib.load(small.image("a").path)
    shape, affine = original.shape, original.affine
    brain = np.array(case.volume().brain)
    small.image("a").path.unlink()
    case.write_prediction(tmp_path / "p.nii.gz", brain)
    written = nib.load(tmp_path / "p.nii.gz")
    assert written.shape == shape
    assert np.array_equal(written.affine, affine)
    expected = np.zeros(shape, bool)
    expected[2:9, 1:10, 1:8] = True
    assert np.array_equal(np.asanyarray(written.dataobj), expected)
    with pytest.raises(ValueError, match="is needed"):
        case.write_prediction(tmp_path / "q.nii.gz", np.zeros((2, 2, 2), bool))


def test_missing_broken_and_half_deleted_things_are_data_errors(small, tmp_path):
    store = PreparedStore(tmp_path / "store")
    with pytest.raises(DataError, match=r"absent.nii.gz: there is no such file"):
        store.prepare("x", ImageFile(tmp_path / "absent.nii.gz"))
    (tmp_path / "bad.nii.gz").write_bytes(gzip.compress(b"nonsense" * 200))
    with pytest.raises(DataError, match=r"bad.nii.gz: not a NIfTI"):
        store.prepare("x", ImageFile(tmp_path / "bad.nii.gz"))
    assert not (tmp_path / "store").exists()
    case = store.prepare("a", small.image("a"))
    (case.folder / "image.npy").write_bytes(b"short")
    with pytest.raises(DataError, match="delete the folder"):
        case.volume()
    (case.folder / "prepared.json").unlink()
    with pytest.raises(DataError, match="delete the folder"):
        store.prepare("a", small.image("a"))


def test_a_failed_write_leaves_nothing_behind(small, tmp_path, monkeypatch):
    store = PreparedStore(tmp_path / "store")

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(store_module, "_write_files", fail)
    with pytest.raises(OSError, match="disk full"):
        store.prepare("a", small.image("a"))
    assert not list((tmp_path / "store").iterdir())


PREPARE_ALL = """
import sys
from pathlib import Path
from unseg_bench.data.files import ImageFile
from unseg_bench.data.store import PreparedStore
store = PreparedStore(Path(sys.argv[1]))
print([float(store.prepare("case", ImageFile(Path(path))).volume().image.sum()) for path in sys.argv[2:]])
"""


def test_several_processes_can_prepare_the_same_cases_at_once(small, tmp_path):
    paths = [str(small.image(case_id).path) for case_id in "abcde"]
    command = [sys.executable, "-c", PREPARE_ALL, str(tmp_path / "store"), *paths]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    results = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert results[0] == results[1] == results[2] != ""
    assert len(list((tmp_path / "store").iterdir())) == 5, "one folder per case and no temporary one"


def test_who_loses_the_race_takes_the_winner_s_folder(small, tmp_path, monkeypatch):
    store, rival = PreparedStore(tmp_path / "store"), PreparedStore(tmp_path / "store")
    write = store_module._write_files

    def write_and_be_overtaken(*arguments):
        monkeypatch.setattr(store_module, "_write_files", write)
        rival.prepare("a", small.image("a"))
        write(*arguments)

    monkeypatch.setattr(store_module, "_write_files", write_and_be_overtaken)
    case = store.prepare("a", small.image("a"))
    assert case.volume().brain.sum() == 7 * 9 * 7
    assert len(list((tmp_path / "store").iterdir())) == 1


def test_a_cohort_opens_one_volume_at_a_time_and_tells_how_far_it_is(small, tmp_path):
    store = PreparedStore(tmp_path / "store")
    calls = []
    cohort = build_cohort("test", ("d", "e"), small, store, lambda *call: calls.append(call))
    assert [volume.case_id for volume in cohort] == ["d", "e"]
    assert calls == [(0, 2, "d"), (1, 2, "e"), (2, 2, "")]
    assert cohort.digest == build_cohort("test", ("d", "e"), small, store, silent).digest
    assert cohort.digest != build_cohort("test", ("e", "d"), small, store, silent).digest
    with pytest.raises(KeyError, match="not in the cohort"):
        cohort["a"]


def test_memory_does_not_grow_with_the_cohort(small, tmp_path):
    store = PreparedStore(tmp_path / "store")
    for number in range(40):
        shutil.copy(small.image("a").path, small.folder / f"n{number}.nii.gz")
    cohort = build_cohort("train", [f"n{number}" for number in range(40)], small, store, silent)
    tracemalloc.start()
    for volume in cohort:
        assert volume.image.any()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 200_000
