import gzip
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from pydantic import ValidationError
from unseg_bench_datasets.folder import FolderDataset, FolderOptions, Pattern, ubench_datasets

from unseg_bench.data.labels import LabelAccess, read_reference
from unseg_bench.data.nifti import read_image
from unseg_bench.data.store import PreparedStore
from unseg_bench.data.supervision import Supervision
from unseg_bench.errors import DataError

AFFINE = np.diag([-1.0, -1.0, 1.0, 1.0])


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")
    return root


def opened(root, **options):
    return FolderDataset(FolderOptions(data=root, **options))


def case_ids(dataset):
    return sorted(dataset.split().case_ids)


@pytest.mark.parametrize(
    ("pattern", "name", "case_id"),
    [
        ("*.nii.gz", "p1.nii.gz", "p1"),
        ("*/Flair*.nii.gz", "p1/Flair_x.nii.gz", "p1"),
        ("{case}/{case}_flair.nii", "p1/p1_flair.nii", "p1"),
        ("{case}/{case}_flair.nii", "p1/p2_flair.nii", None),
        ("*/{case}_flair.nii", "site/p1_flair.nii", "p1"),
        ("site?/*.nii", "site7/p1.nii", "p1"),
        ("**/*_flair.nii", "a/b/p1_flair.nii", "p1"),
        ("**/*_flair.nii", "p1_flair.nii", "p1"),
        ("*/anat.nii", "a/b/anat.nii", None),
        ("[x]/*.nii", "[x]/p1.nii", "p1"),
        ("*_0000.nii.gz", "BRATS_001_0000.nii.gz", "BRATS_001"),
        ("*.nii.gz", "p1xniixgz", None),
    ],
)
def test_the_case_id_is_the_first_star_or_what_case_marks(tmp_path, pattern, name, case_id):
    found = Pattern("image", pattern)
    assert found.case_id(name) == case_id
    root = touch(tmp_path, name)
    if case_id:
        assert found.find(root).files == {case_id: root / name}
    else:
        with pytest.raises(DataError, match="matches no file"):
            found.find(root)


def test_references_are_never_images_and_hidden_files_are_nothing(tmp_path):
    touch(tmp_path, "p1.nii.gz", "p1_seg.nii.gz", "p2.nii.gz", "p2_seg.nii.gz", "._p1.nii.gz")
    dataset = opened(tmp_path, image="*.nii.gz", reference="*_seg.nii.gz", split="all-test")
    assert case_ids(dataset) == ["p1", "p2"]
    assert dataset.image("p1").path == tmp_path / "p1.nii.gz"
    assert dataset.reference("p1").path == tmp_path / "p1_seg.nii.gz"
    with pytest.raises(DataError, match=r"matches no file \(other than reference masks\)"):
        opened(tmp_path, image="*_seg.nii.gz", reference="*_seg.nii.gz")


GUIDE = Path(__file__).resolve().parents[2] / "docs" / "data.md"
LAYOUTS = {
    "`p01/flair.nii.gz`": ("p01/flair.nii.gz", "p01/seg.nii.gz", "p01"),
    "BraTS 2021": ("B_6/B_6_flair.nii.gz", "B_6/B_6_seg.nii.gz", "B_6"),
    "nnU-Net": ("imagesTr/X_1_0003.nii.gz", "labelsTr/X_1.nii.gz", "X_1"),
    "BIDS": ("sub-1/anat/sub-1_FLAIR.nii.gz", "derivatives/sub-1/sub-1_mask.nii.gz", "sub-1"),
    "4D files": ("imagesTr/BRATS_001.nii.gz", "labelsTr/BRATS_001.nii.gz", "BRATS_001"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_patterns_that_the_guide_gives_fit_their_layouts(tmp_path, layout):
    row = next(line for line in GUIDE.read_text().splitlines() if line.startswith(f"| {layout}"))
    image_pattern, reference_pattern = (cell.split("`")[1] for cell in row.split("|")[2:4])
    image, reference, case_id = LAYOUTS[layout]
    touch(tmp_path, image, reference, image.replace(case_id, "z9"), reference.replace(case_id, "z9"))
    dataset = opened(tmp_path, image=image_pattern, reference=reference_pattern, split="all-test")
    assert case_ids(dataset) == sorted([case_id, "z9"])
    assert dataset.image(case_id).path == tmp_path / image
    assert dataset.reference(case_id).path == tmp_path / reference


def test_images_without_a_reference_are_allowed(tmp_path):
    touch(tmp_path, "i/p1.nii.gz", "i/p2.nii.gz", "r/p1.nii.gz")
    dataset = opened(tmp_path, image="i/*.nii.gz", reference="r/*.nii.gz", split="all-test")
    assert dataset.reference("p2") is None
    assert opened(tmp_path, image="i/*.nii.gz", split="all-test").reference("p1") is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"image": "absent/*.nii"}, "image 'absent/.*matches no file"),
        ({"image": "i/p1.nii.gz"}, "needs a '\\*' or"),
        ({"image": "/abs/*.nii.gz"}, "must be relative"),
        ({"image": "i/*"}, r"image 'i/.', file .*odd name.nii.gz: .*cannot be used as a file name"),
        ({"image": "*/p?.nii.gz"}, "both stand for case i"),
        ({"image": "i/p*.nii.gz", "reference": "{case}/p1.nii.gz"}, "no case id of image .*e.g. 2.*e.g. i"),
        ({"image": "i/p*.nii.gz", "reference": "r/*.nii.gz"}, "reference 'r/.*matches no file"),
        ({"image": "i/p*.nii.gz", "healthy": "h/*.nii.gz"}, "healthy: .*same case id"),
        ({"image": "i/p*.nii.gz", "split": "seven:one"}, "write ratios like 7:1:2"),
        ({"image": "i/p*.nii.gz", "split": "1:0:0"}, "leaves no test case of 2"),
        ({"image": "i/p*.nii.gz", "split": "0:0:0"}, "not all zero"),
    ],
)
def test_what_cannot_be_a_cohort_is_said_with_its_option(tmp_path, options, message):
    touch(tmp_path, "i/p1.nii.gz", "i/p2.nii.gz", "i/odd name.nii.gz", "h/1.nii.gz")
    with pytest.raises(DataError, match=message):
        opened(tmp_path, **options)


def test_the_folder_itself_must_be_there(tmp_path):
    with pytest.raises(DataError, match="--data DIR"):
        FolderDataset(FolderOptions())
    with pytest.raises(DataError, match=r"absent is not a folder"):
        opened(tmp_path / "absent")


def test_options_are_what_the_command_line_gives():
    assert FolderOptions.model_validate({"tumour_labels": "1,2, 4"}).tumour_labels == (1, 2, 4)
    assert FolderOptions.model_validate({"tumour_labels": [1, 2]}).tumour_labels == (1, 2)
    assert FolderOptions.model_validate({"channel": "3"}).channel == 3
    for bad in ({"tumour_labels": "0,1"}, {"tumour_labels": ""}, {"tumour_labels": "one"}, {"channel": -1}, {"x": 1}):
        with pytest.raises(ValidationError):
            FolderOptions.model_validate(bad)
    again = FolderOptions.model_validate(FolderOptions(tumour_labels=(1, 2)).model_dump(mode="json"))
    assert again == FolderOptions(tumour_labels=(1, 2))
    assert all(field.description for field in FolderOptions.model_fields.values())


def test_splits_by_ratio_by_files_and_all_test(tmp_path):
    touch(tmp_path, *[f"p{number}.nii.gz" for number in range(10)])
    by_ratio = opened(tmp_path).split()
    assert [len(by_ratio.part(part)) for part in ("train", "valid", "test")] == [7, 1, 2]
    assert opened(tmp_path, split_seed=1).split() != by_ratio
    assert opened(tmp_path, split="all-test").split().test == tuple(f"p{number}" for number in range(10))
    lists = tmp_path / "mine"
    lists.mkdir()
    (lists / "test.txt").write_text("p3\n")
    (lists / "train.txt").write_text("p1\np2\n")
    with pytest.raises(DataError, match="case 'p0' and 6 more of the data set is in no part"):
        opened(tmp_path, split=str(lists))
    (lists / "unused.txt").write_text("".join(f"p{number}\n" for number in (0, 4, 5, 6, 7, 8, 9)))
    split = opened(tmp_path, split=str(lists)).split()
    assert (split.name, split.train, split.test) == ("mine", ("p1", "p2"), ("p3",))
    (lists / "test.txt").write_text("p33\n")
    with pytest.raises(DataError, match="names case 'p33'"):
        opened(tmp_path, split=str(lists))


def test_healthy_cases_belong_to_no_part(tmp_path):
    touch(tmp_path, "p1/f.nii", "p2/f.nii", "control1/f.nii")
    dataset = opened(tmp_path, image="*/f.nii", healthy="control*/f.nii", split="all-test")
    assert case_ids(dataset) == ["p1", "p2"]
    assert dataset.healthy() == ("control1",), "the id that the image pattern gives it"
    assert dataset.image("control1").path == tmp_path / "control1/f.nii"
    touch(tmp_path, "more/c9.nii")
    assert opened(tmp_path, image="*/f.nii", healthy="more/*.nii").healthy() == ("c9",)


def test_unlabelled_images_train_without_any_reference_and_the_name_tells_when_they_are_tested_too(tmp_path):
    touch(tmp_path, "i/p1.nii.gz", "i/p2.nii.gz", "r/p1.nii.gz", "r/p2.nii.gz", "extra/x1.nii.gz")
    common = {"image": "i/*.nii.gz", "reference": "r/*.nii.gz", "split": "all-test"}
    apart = opened(tmp_path, **common, unlabelled="extra/*.nii.gz")
    assert apart.split().name == "all-test-unlabelled"
    assert apart.split().train == ("unlabelled-x1",)
    same = opened(tmp_path, **common, unlabelled="i/*.nii.gz")
    assert same.split().name == "all-test-transductive"
    assert same.split().train == ("unlabelled-p1", "unlabelled-p2")
    assert same.image("unlabelled-p1").path == same.image("p1").path
    assert same.reference("unlabelled-p1") is None


def test_identity_names_patterns_and_members_but_no_place(tmp_path):
    names = [f"p{number}.nii.gz" for number in range(6)]
    one, two = opened(touch(tmp_path / "one", *names)), opened(touch(tmp_path / "two", *names))
    assert one.identity() == two.identity()
    assert str(tmp_path) not in repr(one.identity())
    more = opened(touch(tmp_path / "three", *names, "p7.nii.gz"))
    assert len({repr(d.identity()) for d in (one, more, opened(tmp_path / "one", split_seed=3))}) == 3


def test_a_channel_of_4d_files_and_chosen_labels_reach_the_label_access(tmp_path):
    rng = np.random.default_rng(0)
    data, labels = np.zeros((8, 9, 10, 2), np.float32), np.zeros((8, 9, 10), np.uint8)
    data[2:6, 2:7, 2:8] = rng.random((4, 5, 6, 2)) + 1
    labels[3, 3, 3:6] = (1, 2, 3)
    for number in range(3):
        nib.save(nib.Nifti1Image(data, AFFINE), tmp_path / f"p{number}_0000.nii.gz")
        nib.save(nib.Nifti1Image(labels, AFFINE), tmp_path / f"m{number}.nii.gz")
    dataset = opened(
        tmp_path,
        image="p*_0000.nii.gz",
        reference="m*.nii.gz",
        channel=1,
        tumour_labels=(1, 3),
        split="1:1:1",
    )
    assert not dataset.check(lambda *_: None).problems
    train = dataset.split().train[0]
    access = LabelAccess(dataset, dataset.split(), Supervision.MASKS, PreparedStore(tmp_path / "store"), lambda _: None)
    assert access.mask(train, "training").sum() == 2
    image = read_image(dataset.image(train).path, dataset.image(train).channel)
    assert np.array_equal(image.data, data[..., 1])


def test_a_broken_file_does_not_stop_the_others_in_check(tmp_path):
    data = np.zeros((8, 9, 10), np.float32)
    data[2:6, 2:7, 2:8] = np.random.default_rng(0).random((4, 5, 6)) + 1
    for number in range(3):
        nib.save(nib.Nifti1Image(data, AFFINE), tmp_path / f"p{number}.nii.gz")
    (tmp_path / "p1.nii.gz").write_bytes(gzip.compress(b"no image" * 100))
    check = opened(tmp_path).check(lambda *_: None)
    assert check.cases == 3
    assert len(check.problems) == 1
    assert "p1.nii.gz: not a NIfTI file" in check.problems[0]


def test_the_real_cohort_of_2013(shared_dir):
    dataset = opened(
        shared_dir / "data",
        image="brats2013/*/Flair_subtrMeanDivStd.nii.gz",
        reference="brats2013/*/OTMultiClass.nii.gz",
        split="all-test",
    )
    assert case_ids(dataset) == [f"brats_2013_pat000{n}_1" for n in range(1, 7)]
    case_id = dataset.split().test[0]
    image = read_image(dataset.image(case_id).path)
    mask, affine = read_reference(dataset, case_id, image)
    assert np.array_equal(mask, nib.load(dataset.reference(case_id).path).get_fdata() > 0.5)
    assert mask.sum() > 100_000
    assert np.array_equal(affine, image.affine)


def test_the_real_case_of_2021(shared_dir):
    dataset = opened(
        shared_dir / "data",
        image="*/BraTS2021_{case}_flair.nii.gz",
        reference="*/BraTS2021_{case}_seg.nii.gz",
        split="all-test",
        tumour_labels=(1, 2, 4),
    )
    assert case_ids(dataset) == ["00006"]
    check = dataset.check(lambda *_: None)
    assert not check.problems
    assert "values in the reference masks: 0, 1, 2, 4" in check.notes


COMMON = {"image": "*/flair.nii.gz", "reference": "*/seg.nii.gz", "split": "all-test"}


def to_annex(root, *names):
    for name in names:
        (root / name).unlink()
        (root / name).symlink_to("../.git/annex/objects/x/y/none.nii.gz")


def lfs(root, name):
    (root / name).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 12345\n")


SHRINKS = {
    "links": (
        lambda root: to_annex(root, "p1/flair.nii.gz", "p3/flair.nii.gz"),
        r"2 images not there \(p1/flair.nii.gz, p3/flair.nii.gz\): a git-annex link.* git annex get",
        ["p0", "p2"],
    ),
    "pointer": (
        lambda root: lfs(root, "p1/flair.nii.gz"),
        r"1 image not there \(p1/flair.nii.gz\): a git-lfs pointer; fetch the content: git lfs pull",
        ["p0", "p2", "p3"],
    ),
    "reference": (
        lambda root: to_annex(root, "p2/seg.nii.gz"),
        r"1 reference not there \(p2/seg.nii.gz\): a git-annex link",
        ["p0", "p1", "p2", "p3"],
    ),
    "missing": (
        lambda root: (root / "p3/flair.nii.gz").unlink(),
        r"1 reference without an image: p3/seg.nii.gz",
        ["p0", "p1", "p2"],
    ),
    "letters": (
        lambda root: (root / "p3/flair.nii.gz").rename(root / "p3/Flair.nii.gz"),
        r"1 name unlike the image pattern in upper and lower case \(p3/Flair.nii.gz\): rename\. --allow",
        ["p0", "p1", "p2"],
    ),
    "letters of a reference": (
        lambda root: (root / "p3/seg.nii.gz").rename(root / "p3/Seg.nii.gz"),
        r"1 name unlike the reference pattern in upper and lower case \(p3/Seg.nii.gz\)",
        ["p0", "p1", "p2", "p3"],
    ),
    "folder": (
        lambda root: touch(root, "p4/t1.nii.gz", "lists/train.txt", "derivatives/p1/mean.nii.gz"),
        r"1 folder with NIfTI files of which image '\*/flair.nii.gz' matches none: p4\. --allow",
        ["p0", "p1", "p2", "p3"],
    ),
}


@pytest.mark.parametrize("kind", SHRINKS)
def test_a_cohort_that_shrinks_says_so_and_goes_on_when_told_to(tmp_path, kind):
    touch(tmp_path, *[f"p{n}/{name}.nii.gz" for n in range(4) for name in ("flair", "seg")])
    whole = opened(tmp_path, **COMMON)
    assert whole.left_out() == ()
    spoil, said, left = SHRINKS[kind]
    spoil(tmp_path)
    with pytest.raises(DataError, match=said):
        opened(tmp_path, **COMMON)
    smaller = opened(tmp_path, **COMMON, allow_missing=True)
    assert len(smaller.left_out()) == 1
    assert case_ids(smaller) == left
    if kind == "reference":
        assert smaller.reference("p2") is None


def test_what_is_allowed_is_no_part_of_the_identity(tmp_path):
    touch(tmp_path, "p0/flair.nii.gz", "p1/flair.nii.gz")
    one, two = (opened(tmp_path, image="*/flair.nii.gz", split="all-test", allow_missing=ok) for ok in (False, True))
    assert one.identity() == two.identity()


@pytest.mark.parametrize(
    ("pattern", "name", "case_id", "patient"),
    [
        ("{patient}/{session}/flair.nii.gz", "p1/t0/flair.nii.gz", "p1_t0", "p1"),
        ("{patient}/*/flair.nii.gz", "p1/t0/flair.nii.gz", "p1_t0", "p1"),
        (
            "{patient}-{session}/{patient}-{session}-t2f.nii.gz",
            "B-G-05-100/B-G-05-100-t2f.nii.gz",
            "B-G-05-100",
            "B-G-05",
        ),
        (
            "{patient}/{session}/anat/{patient}_{session}_FLAIR.nii.gz",
            "s-1/e-2/anat/s-1_e-2_FLAIR.nii.gz",
            "s-1_e-2",
            "s-1",
        ),
        ("{patient}/{case}_flair.nii.gz", "p1/scan7_flair.nii.gz", "scan7", "p1"),
        ("*/flair.nii.gz", "p1/flair.nii.gz", "p1", "p1"),
    ],
)
def test_a_pattern_says_what_a_patient_and_a_session_is(tmp_path, pattern, name, case_id, patient):
    dataset = opened(touch(tmp_path, name), image=pattern, split="all-test")
    assert case_ids(dataset) == [case_id]
    assert dataset.patient(case_id) == patient


@pytest.mark.parametrize("pattern", ["{session}/*.nii.gz", "{case}/{session}.nii.gz", "{patient}/flair.nii.gz"])
def test_half_of_a_session_is_refused(tmp_path, pattern):
    with pytest.raises(DataError, match=r"'\{session\}'"):
        opened(touch(tmp_path, "p1/flair.nii.gz"), image=pattern)


def test_no_split_parts_the_sessions_of_a_patient(tmp_path):
    names = [f"p{n}/t{t}/flair.nii.gz" for n in range(20) for t in range(1 + n % 3)]
    touch(tmp_path, *names, *[f"masks/p{n}-t0.nii.gz" for n in range(20)])
    options = {"image": "{patient}/{session}/flair.nii.gz", "reference": "masks/{patient}-{session}.nii.gz"}
    for seed in range(5):
        dataset = opened(tmp_path, **options, split_seed=seed)
        split = dataset.split()
        parts = [{dataset.patient(case_id) for case_id in split.part(part)} for part in ("train", "valid", "test")]
        assert [len(part) for part in parts] == [14, 2, 4]
        assert not parts[0] & parts[1] | parts[0] & parts[2] | parts[1] & parts[2]
        assert len(split.case_ids) == len(names)
    assert dataset.reference("p3_t0").path == tmp_path / "masks/p3-t0.nii.gz"
    lists = tmp_path / "lists"
    lists.mkdir()
    (lists / "train.txt").write_text("p1_t0\n")
    (lists / "test.txt").write_text("".join(f"{i}\n" for i in sorted(split.case_ids) if i != "p1_t0"))
    with pytest.raises(DataError, match=r"p1_t0 \(train.txt\) and p1_t1 \(test.txt\) are of one patient, p1"):
        opened(tmp_path, **options, split=str(lists))


def test_training_images_of_a_patient_who_is_tested_make_the_split_transductive(tmp_path):
    touch(tmp_path, "i/p1/t0.nii.gz", "more/p1/t1.nii.gz", "more/p2/t0.nii.gz")
    image = {"image": "i/{patient}/{session}.nii.gz", "split": "all-test"}
    both = opened(tmp_path, **image, unlabelled="more/{patient}/{session}.nii.gz").split()
    assert (both.name, both.train) == ("all-test-transductive", ("unlabelled-p1_t1", "unlabelled-p2_t0"))
    (tmp_path / "more/p1/t1.nii.gz").unlink()
    others = opened(tmp_path, **image, unlabelled="more/{patient}/{session}.nii.gz").split()
    assert others.name == "all-test-unlabelled"


def test_it_is_registered():
    assert ubench_datasets() == [FolderDataset]
