"""Weights: checksums, the cache, offline, first-use trust, and files that would run code."""

import hashlib
import logging
import pickle
import random
import subprocess
import sys
import threading
import warnings
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from unseg_bench.blocks.weights import (
    WeightsFile,
    list_weights,
    load_into,
    load_state_dict,
    missing_weights,
    resolve,
    resolve_entry,
)
from unseg_bench.blocks.weights_registry import REGISTRY, WeightsEntry
from unseg_bench.data.paths import cache_dir
from unseg_bench.errors import WeightsError


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def served(tmp_path):
    """A folder served over HTTP on this machine, and its address."""
    folder = tmp_path / "served"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=folder))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield folder, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def entry(url, sha256):
    return WeightsEntry("mine", "a test", "mine.safetensors", url, sha256, None, "none")


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_a_download_lands_in_the_cache_and_is_not_repeated(served):
    folder, address = served
    (folder / "x").write_bytes(b"weights")
    described = entry(f"{address}/x", sha(b"weights"))
    first = resolve_entry(described)
    (folder / "x").unlink()
    assert first.path == cache_dir() / "weights" / "mine.safetensors"
    assert first.sha256 == sha(b"weights")
    assert resolve_entry(described, offline=True) == first


def test_a_download_with_another_checksum_is_refused_and_leaves_nothing(served):
    folder, address = served
    (folder / "x").write_bytes(b"tampered")
    with pytest.raises(WeightsError, match="thrown away"):
        resolve_entry(entry(f"{address}/x", sha(b"weights")))
    assert not (cache_dir() / "weights" / "mine.safetensors").exists()


def test_an_unreachable_source_says_where_to_put_the_file():
    with pytest.raises(WeightsError, match=r"cannot be reached.*put http://127\.0\.0\.1:9/x at .*mine\.safetensors"):
        resolve_entry(entry("http://127.0.0.1:9/x", "00"))


def test_offline_says_exactly_which_file_to_put_where():
    with pytest.raises(WeightsError) as raised:
        resolve("sam-vit-b", offline=True)
    message = str(raised.value)
    assert "https://dl.fbaipublicfiles.com/segment_anything/sam_vit_b_01ec64.pth" in message
    assert str(cache_dir() / "weights" / "sam_vit_b_01ec64.pth") in message
    assert "ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912" in message


def test_a_wrong_file_in_the_cache_is_moved_out_of_its_good_name():
    path = cache_dir() / "weights" / "resnet50-0676ba61.pth"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"not a ResNet")
    with pytest.raises(WeightsError, match=r"refused and moved to resnet50-0676ba61\.pth\.refused"):
        resolve("resnet50-imagenet-v1", offline=True)
    assert not path.exists()
    assert path.with_name("resnet50-0676ba61.pth.refused").read_bytes() == b"not a ResNet"


def test_a_users_file_with_a_published_name_must_be_that_file_and_stays_where_it_is(tmp_path):
    path = tmp_path / "sam_vit_b_01ec64.pth"
    path.write_bytes(b"half a download")
    with pytest.raises(WeightsError, match="was refused: its SHA-256"):
        resolve(path)
    assert path.exists()


def test_an_unknown_digest_is_trusted_once_recorded_and_held_to(tmp_path, caplog):
    path = tmp_path / "mine.pth"
    path.write_bytes(b"first")
    with caplog.at_level(logging.WARNING):
        found = resolve(path)
    assert found.sha256 == sha(b"first")
    assert "trusted from now on" in caplog.text
    checked = subprocess.run(["sha256sum", "-c", "mine.pth.sha256"], cwd=tmp_path, capture_output=True, check=False)
    assert checked.returncode == 0
    assert resolve(str(path)).sha256 == found.sha256
    path.write_bytes(b"second")
    with pytest.raises(WeightsError, match="was recorded in"):
        resolve(path)


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(WeightsError, match="did you mean 'sam-vit-b'"):
        resolve("sam-vitb")


def test_a_shipped_file_given_by_its_path_is_held_to_its_digest_and_nothing_is_written_beside_it():
    named = resolve("miniature-sam")
    assert resolve(named.path).sha256 == named.sha256
    assert not named.path.with_name(named.path.name + ".sha256").exists()


def test_the_list_knows_what_is_here():
    status = {row.entry.name: row for row in list_weights()}
    assert not status["sam-vit-h"].present
    assert status["miniature-clip"].present
    assert all(row.entry.licence for row in status.values())


def test_digests_and_names_of_the_registry_are_well_formed():
    for known in REGISTRY:
        assert known.sha256 is None or len(bytes.fromhex(known.sha256)) == 32
        assert known.url or known.page
    by_name = {known.name: known for known in REGISTRY}
    assert by_name["resnet50-imagenet-v1"].sha256.startswith("0676ba61")
    assert by_name["resnet50-imagenet-v2"].sha256.startswith("11ad3fa6")


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_a_state_dict_survives_the_way_through_a_file(tmp_path, suffix):
    source, target = nn.Linear(3, 2), nn.Linear(3, 2)
    path = tmp_path / f"w.{suffix}"
    if suffix == "pth":
        torch.save({"state_dict": source.state_dict()}, path)
    else:
        save_file(source.state_dict(), path)
    load_into(target, resolve(path), "a line")
    assert torch.equal(source.weight, target.weight)


def test_another_architecture_is_refused_with_the_keys_that_do_not_fit(tmp_path):
    path = tmp_path / "w.safetensors"
    save_file({"weight": torch.zeros(4, 3), "extra.bias": torch.zeros(1)}, path)
    with pytest.raises(WeightsError) as raised:
        load_into(nn.Linear(3, 2), resolve(path), "a line")
    message = str(raised.value)
    assert "missing: bias" in message
    assert "unexpected: extra.bias" in message
    assert "weight (4, 3) for (2, 3)" in message


class _Bomb:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self):
        return (Path.touch, (self.target,))


@pytest.mark.parametrize("save", [torch.save, lambda value, path: path.write_bytes(pickle.dumps(value, protocol=2))])
def test_a_pickle_that_would_run_code_does_not(tmp_path, save):
    path, mark = tmp_path / "w.pth", tmp_path / "it_ran"
    save({"weight": _Bomb(mark)}, path)
    with pytest.raises(WeightsError, match="files that could run code are refused"):
        load_state_dict(resolve(path))
    assert not mark.exists()


def test_what_is_no_state_dict_is_refused(tmp_path):
    path = tmp_path / "w.pth"
    torch.save([torch.zeros(1)], path)
    with pytest.raises(WeightsError, match="holds no state dict"):
        load_state_dict(resolve(path))


@pytest.mark.parametrize("share", [0.01, 0.5, 0.99])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_truncated_file_is_refused(tmp_path, suffix, share):
    path = tmp_path / f"w{suffix}"
    state = {"weight": torch.rand(40, 30)}
    (torch.save if suffix == ".pth" else save_file)(state, path)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(WeightsError, match=f"w{suffix}"):
        load_state_dict(resolve(path))


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_file_with_flipped_bytes_is_read_or_refused(tmp_path, suffix):
    rng, path = random.Random(3), tmp_path / f"w{suffix}"
    (torch.save if suffix == ".pth" else save_file)({"weight": torch.rand(4, 3)}, path)
    whole = path.read_bytes()
    refused = 0
    for _ in range(120):
        content = bytearray(whole)
        for _ in range(rng.randint(1, 4)):
            content[rng.randrange(len(content))] = rng.randrange(256)
        path.write_bytes(content)
        refused += not reads(path)
    assert 0 < refused < 120


def reads(path):
    """Whether a file can be read; whatever else comes out than WeightsError fails the test."""
    try:
        load_state_dict(WeightsFile(path, "", "w"))
    except WeightsError:
        return False
    return True


def test_a_damaged_safetensors_file_is_refused(tmp_path):
    path = tmp_path / "w.safetensors"
    path.write_bytes(b"\x05garbage")
    with pytest.raises(WeightsError, match="not a readable safetensors file"):
        load_state_dict(resolve(path))


def test_a_torchscript_archive_is_refused(tmp_path):
    path = tmp_path / "w.pt"
    with warnings.catch_warnings(action="ignore", category=FutureWarning):  # torch calls its own format deprecated
        torch.jit.save(torch.jit.script(nn.Linear(2, 2)), str(path))
    with pytest.raises(WeightsError, match="TorchScript"):
        load_state_dict(resolve(path))


def test_listing_weights_does_not_load_torch():
    code = "import sys, unseg_bench.blocks.weights as w; w.list_weights(); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_all_that_are_missing_are_named_with_their_bytes(tmp_path, monkeypatch):
    monkeypatch.setenv("UBENCH_CACHE", str(tmp_path))
    here = tmp_path / "mine.pth"
    here.touch()
    asked = ["sam-vit-b", "clip-vit-b-32-openai", "sam-vit-b", "miniature-sam", str(here), str(tmp_path / "gone.pth")]
    assert missing_weights(asked) == {
        "sam-vit-b": 375_042_383,
        "clip-vit-b-32-openai": 605_143_284,
        str(tmp_path / "gone.pth"): 0,
    }
