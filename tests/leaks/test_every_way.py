"""Every way to a mask that the thief knows is shut by the seal, and is a real way: unsealed, most lead there."""

import ctypes
import os
import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryDirectory

import pytest

from unseg_bench.data.paths import cache_dir
from unseg_bench.plugins.device import Device
from unseg_bench.plugins.manager import load_plugins
from unseg_bench.run.folder import RunFolder
from unseg_bench.run.ledger import label_free
from unseg_bench.sandbox import policy

PARTS = [Path(__file__).with_name("thief.py"), *sorted(Path(__file__).parent.glob("ways_of_*.py"))]
THIEF = "".join(re.sub(r"^from thief import .*\n", "", part.read_text(), flags=re.MULTILINE) for part in PARTS)
NAMES = re.findall(r"^@attempt\ndef (\w+)", THIEF, flags=re.MULTILINE)
NEEDS_RIGHTS = {
    "file_handle",
    "a_namespace_of_its_own",
    "bind_mount",
    "change_the_root",
    "device_file",
    "io_uring",
    "note_on_a_file",
    "shared_memory_file",
    "process_vm_readv",
    "ptrace_the_runner",
    "memory_of_the_runner",
    "descriptor_of_the_runner_by_pidfd",
    "openat2",
}
"""Whether these lead anywhere without a seal depends on the user's rights, the file system and the kernel."""
SHUT_WITHOUT_SEAL = {
    "the_label_access",
    "a_case_that_was_not_given",
    "a_stage_outside_the_cache",
    "a_label_by_hand",
    "weights_that_are_a_mask",
    "patched_supervision",
    "inherited_descriptors",
    "environment",
}
"""Shut by the runner itself, or empty, without a seal too."""


@pytest.fixture
def planted(tmp_path: Path, masked_cohort: Path) -> Iterator[dict[str, str]]:
    """What an accomplice may have left: files all over the place, a service, a segment of shared memory."""
    secret = (masked_cohort / "case-2" / "seg.nii.gz").read_bytes()
    places = {
        "temporary": tmp_path / "left.bin",
        "stage": cache_dir() / "stages" / "train-0123" / "masks.npy",
        "scores": tmp_path / "runs" / "folder" / "supervised" / "scores.csv",
        "prediction": tmp_path / "runs" / "folder" / "supervised" / "predictions" / "case-2.nii.gz",
        "weights": cache_dir() / "weights" / "left.safetensors",
    }
    for path in places.values():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(secret)
    libc = ctypes.CDLL(None)
    key, create = 0x5EA1 + os.getpid(), 0o1600
    segment = libc.shmget(key, 64, create)
    with TemporaryDirectory() as folder, NamedTemporaryFile(dir="/dev/shm") as shared:
        shared.write(secret)
        shared.flush()
        with serving(socket.AF_UNIX, f"{folder}/service"):
            prepared = {"prepared": str(cache_dir() / "prepared"), "service": f"{folder}/service"}
            yield {
                **{n: str(p) for n, p in places.items()},
                **prepared,
                "shared_memory": shared.name,
                "segment": str(key),
            }
    libc.shmctl(segment, 0, None)


class serving:  # noqa: N801
    """A service that hands out a secret to whoever connects; the value is its address."""

    def __init__(self, family: socket.AddressFamily, address: object) -> None:
        self._line = socket.socket(family)
        self._line.bind(address)
        self._line.listen()

    def __enter__(self) -> object:
        threading.Thread(target=self._serve, daemon=True).start()
        return self._line.getsockname()

    def __exit__(self, *_: object) -> None:
        self._line.shutdown(socket.SHUT_RDWR)
        self._line.close()

    def _serve(self) -> None:
        while True:
            try:
                line, _ = self._line.accept()
            except OSError:
                return
            line.sendall(b"secret")
            line.close()


@pytest.fixture
def steal(run, method_file, masked_cohort, planted):
    """Let the thief work, sealed or not; returns the run, and what came of each attempt."""

    def make(sealed: str, *, installed: bool = False) -> tuple[RunFolder, dict[str, dict[str, object]]]:
        os.setxattr(masked_cohort / "case-2" / "seg.nii.gz", "user.mask", b"mask")
        with serving(socket.AF_INET, ("127.0.0.1", 0)) as (_, port):
            places = {
                "mask": str(masked_cohort / "case-2" / "seg.nii.gz"),
                "planted": planted,
                "parent": os.getpid(),
                "port": port,
                "case": "case-2",
            }
            file, plugins = method_file(THIEF), None
            if installed:
                plugins = load_plugins()
                plugins.load_file(file)
            done = run("thief" if installed else file, plugins, set=places, sealed=sealed)
        return done, {line["name"]: line for line in done.events() if line["event"] == "attempt"}

    return make


@pytest.fixture(params=["no GPU", "a GPU"])
def opened(request, monkeypatch, tmp_path):
    """Have runs without a GPU, or with one: all rules for it, and another device in its place. The value: whether."""
    if request.param == "no GPU":
        return False
    if not Path("/dev/ptmx").exists():
        pytest.skip("this system has no device file that stands for a GPU's")
    (tmp_path / "nvidia0").symlink_to("/dev/ptmx")
    monkeypatch.setattr(policy, "_GPU_DEVICES", (f"{tmp_path}/nvidia*",))
    for module in ("runner", "host", "session.sandboxed", "session.run_rules"):
        monkeypatch.setattr(f"unseg_bench.run.{module}.settle_device", lambda _asked: Device("cuda:0", "A GPU"))
    return True


def test_sealed_every_attempt_fails(sealable, opened, steal):
    done, attempts = steal("required")
    assert all((said in (done.path / "seal.json").read_text()) is opened for said in ("nvidia0", "its own threads"))
    assert set(attempts) == set(NAMES)
    assert [f"{name}: {line}" for name, line in attempts.items() if line["got"]] == []
    assert len(attempts) > 50
    assert done.record["seal"]["mode"] == "sealed"
    assert label_free(done.record) == "yes (sealed)"
    assert done.record["label_reads"] == []


@pytest.mark.usefixtures("no_leftovers")
def test_unsealed_the_attempts_succeed_and_the_column_tells(steal):
    done, attempts = steal("off", installed=True)
    expected = set(NAMES) - NEEDS_RIGHTS - SHUT_WITHOUT_SEAL
    assert {name: attempts[name]["why"] for name in expected if not attempts[name]["got"]} == {}
    assert [name for name in SHUT_WITHOUT_SEAL if attempts[name]["got"]] == []
    assert done.record["seal"]["mode"] == "ledger"
    assert label_free(done.record).startswith("no: ")
    assert "opened data file" in label_free(done.record)
    assert str(done.path.parents[2] / "data/case-2/seg.nii.gz") in (done.path / "opened.txt").read_text()


def test_a_file_that_is_not_sealed_gets_as_far_and_its_column_never_says_yes(steal):
    done, attempts = steal("off")
    expected = set(NAMES) - NEEDS_RIGHTS - SHUT_WITHOUT_SEAL - {"objects_in_memory"}
    assert {name: attempts[name]["why"] for name in expected if not attempts[name]["got"]} == {}
    assert [name for name in SHUT_WITHOUT_SEAL if attempts[name]["got"]] == []
    assert done.record["seal"] == {
        "mode": "not sealed",
        "reason": "--sealed off",
        "volumes": {"test": 2},
        "weights": {},
    }
    assert label_free(done.record) == "not sealed"
