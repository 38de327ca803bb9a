"""A run has the device that was settled for it, or fails; its record, its first line and its stages say which."""

import json

import pytest

from tests.silent import Silent
from unseg_bench.cli.main import main
from unseg_bench.errors import RunError
from unseg_bench.plugins import device, driver
from unseg_bench.plugins.device import Device
from unseg_bench.plugins.driver import DriverError
from unseg_bench.run.facts import device_text
from unseg_bench.run.runner import execute

STAGED = """
@stage("squares", seeded=False)
def squares(work):
    np.save(work.folder / "values.npy", np.arange(4) ** 2)

class Mine(Method):
    name = "mine"

    def fit(self, training, validation, context):
        context.run(squares)

    def segment(self, volume, context):
        return volume.image > np.float32(101 if context.device == "cpu" else 0)

"""
A100 = Device("cuda:0", "NVIDIA A100-SXM4-40GB", 42_300_000_000, "570.86", "8.0")


class Listener(Silent):
    """Keeps the titles and the messages."""

    def __init__(self):
        self.said = []

    def run_begins(self, title):
        self.said.append(title)

    def message(self, text):
        self.said.append(text)


def settle(monkeypatch, found):
    """Have the runner settle this device, whatever is asked for."""
    for module in ("run.runner", "run.host", "run.session.sandboxed", "run.session.run_rules", "run.gpu_check"):
        monkeypatch.setattr(f"unseg_bench.{module}.settle_device", lambda _asked: found)


@pytest.fixture
def staged(bench):
    return bench.method(STAGED)


def test_a_process_that_cannot_have_the_gpu_ends_the_run(sealable, staged, monkeypatch):
    settle(monkeypatch, A100)
    plan = staged.plan(device="auto")
    with pytest.raises(
        RunError, match="computes on cuda:0, but the method's process cannot: its driver shows it no GPU"
    ):
        execute(plan, Silent())
    record = plan.folder.record
    assert (record["state"], record["device"]["model"]) == ("failed", "NVIDIA A100-SXM4-40GB")
    assert not list((plan.folder.path / "predictions").glob("*"))


@pytest.mark.parametrize("sealed", ["auto", "off"])
def test_a_torch_that_cannot_compute_there_ends_the_run_too(sealable, staged, monkeypatch, sealed):
    settle(monkeypatch, Device("cuda:0", "AMD Instinct"))
    with pytest.raises(RunError, match=r"cannot: torch says: .*--device cpu runs on the CPU"):
        execute(staged.plan(device="auto", sealed=sealed), Silent())


def test_a_run_names_its_device_first_and_records_it_with_the_peak_memory(sealable, staged):
    heard = Listener()
    run = execute(staged.plan(), heard)
    assert heard.said[0] == "mine (default), seed 0, on the CPU"
    record = run.record
    assert record["device"] == {"name": "cpu"}
    assert 10_000_000 < record["peak_memory"]["process"] < 1 << 40
    assert device_text(record).startswith("the CPU, at most ")
    assert device_text({"device": A100.to_json(), "peak_memory": {"process": 9, "gpu": 5_400_000_000}}) == (
        "cuda:0 (NVIDIA A100-SXM4-40GB, 42.3 GB, driver 570.86), at most 5.4 GB used"
    )
    assert device_text({"device": A100.to_json(), "peak_memory": {"process": 9}}).endswith(
        "at most 9 B used by the process, nothing on the GPU"
    )
    assert device_text({}) == ""


def test_a_stage_of_another_kind_of_device_is_marked(sealable, staged, monkeypatch, capsys):
    first = execute(staged.plan(), Silent())
    kept = [json.loads(line) for line in (first.path / "log.jsonl").read_text().splitlines()]
    assert [line["device"] for line in kept if line["event"] == "stage"] == ["cpu"]
    settle(monkeypatch, Device("cuda:0", "AMD Instinct"))
    heard = Listener()
    with pytest.raises(RunError, match="torch says"):
        execute(staged.plan(limit=1), heard)
    assert "squares was made on another kind of device (cpu)" in heard.said
    plan = staged.plan(limit=1)
    assert main(["show", str(plan.folder.path)]) == 0
    assert "kept from before, made on another kind of device (cpu)" in capsys.readouterr().out


def test_an_earlier_call_on_another_device_is_said(sealable, staged, monkeypatch):
    plan = staged.plan()
    execute(plan, Silent())
    (plan.folder.path / "predictions" / f"{plan.case_ids[0]}.nii.gz").unlink()
    plan.folder.update({"state": "started", "device": A100.to_json()})
    heard = Listener()
    execute(plan, heard)
    assert f"{plan.title}: an earlier call began it on {A100.text}" in heard.said


def test_the_check_of_the_gpu_says_what_is_missing(sealable, monkeypatch):
    from unseg_bench.run.gpu_check import check_gpu

    settle(monkeypatch, Device())
    with pytest.raises(RunError, match=r"no GPU is used here: no driver shows one.*docker: --gpus all"):
        check_gpu()
    settle(monkeypatch, A100)
    with pytest.raises(RunError, match="cannot: its driver shows it no GPU"):
        check_gpu()


def test_the_check_multiplies_in_a_sealed_process(sealable, monkeypatch):
    """On the CPU, with the same code: the process, the product and what it says."""
    from unseg_bench.run import gpu_check

    monkeypatch.setattr(gpu_check, "CPU", "none")
    settle(monkeypatch, Device())
    seen = gpu_check.check_gpu()
    assert (seen["device"], seen["sealed"]) == ("the CPU", "yes")
    assert seen["peak memory"]["process"] > 10_000_000


def test_info_gpu_ends_with_1_and_a_remedy_without_one(monkeypatch, capsys):
    settle(monkeypatch, Device())
    assert main(["info", "--gpu"]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("Error: no GPU is used here")


def fail(_asked):
    raise RunError("there is an NVIDIA GPU, but its driver does not work")


def test_a_driver_that_does_not_work_ends_a_run_before_anything_begins(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(device, "settle_device", fail)
    assert main(["run", "threshold"]) == 1
    assert capsys.readouterr().err == "Error: there is an NVIDIA GPU, but its driver does not work\n"
    assert not (tmp_path / "runs").exists()


def test_info_tells_of_a_driver_that_does_not_work(monkeypatch, capsys):
    def find():
        raise DriverError("cuInit ended with error 803")

    monkeypatch.setattr(device, "settle_device", fail)
    monkeypatch.setattr(driver, "find_gpus", find)
    assert main(["info", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["device"] == "there is an NVIDIA GPU, but its driver does not work"
    assert found["GPUs"] == "cuInit ended with error 803"
