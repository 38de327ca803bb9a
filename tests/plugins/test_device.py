"""The device is settled once, from what the driver shows; what cannot be had is an error, never the CPU instead."""

import subprocess
import sys

import pytest
import torch

from tests.plugins.fake_driver import A100, TURING, FakeDriver
from unseg_bench.errors import RunError, SettingsError
from unseg_bench.plugins import device, driver
from unseg_bench.plugins.device import CPU, Device, confirm_device, confirm_driver, peak_memory, settle_device
from unseg_bench.plugins.driver import DriverError, find_gpus


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """Have a machine with these GPUs; `builds`: what torch is built for."""

    def have(*gpus, start=0, builds=("cuda",)):
        fake = FakeDriver(gpus, start)
        (tmp_path / "nvidiactl").touch()
        monkeypatch.setattr(driver, "_DEVICE_FILES", (str(tmp_path / "nvidiactl"),))
        monkeypatch.setattr(driver, "_VERSION_FILE", tmp_path / "version")
        monkeypatch.setattr(driver, "_load", lambda: fake)
        monkeypatch.setattr(device, "torch_builds", lambda: frozenset(builds))
        return fake

    forget()
    yield have
    forget()


def forget():
    for cached in (find_gpus, settle_device, confirm_device):
        cached.cache_clear()


def test_the_first_gpu_is_taken_where_there_is_one_and_named_in_full(machine, tmp_path):
    (tmp_path / "version").write_text("NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.86.15  Release\n")
    fake = machine(A100, TURING)
    found = settle_device("auto")
    assert (found.name, found.kind, found.memory_bytes) == ("cuda:0", "cuda", 42_300_000_000)
    assert found.text == "cuda:0 (NVIDIA A100-SXM4-40GB, 42.3 GB, driver 570.86.15)"
    assert settle_device("cuda").name == "cuda:0"
    assert settle_device("cuda:1").model == "NVIDIA GeForce RTX 2080 Ti"
    assert fake.starts == 1
    assert Device.from_json(found.to_json()) == found


def test_a_gpu_without_bfloat16_is_said_to_compute_in_float32(machine):
    machine(TURING)
    assert settle_device("auto").text.endswith("driver of CUDA 12.4, no bfloat16, so mixed precision is float32)")


def test_the_cpu_is_taken_where_it_is_asked_for_and_the_driver_stays_alone(machine):
    fake = machine(A100)
    assert settle_device("cpu") == Device()
    assert (settle_device("cpu").text, fake.starts) == ("the CPU", 0)


def test_a_driver_that_does_not_start_ends_the_run_and_not_on_the_cpu(machine):
    machine(A100, start=803)
    said = "driver does not work: cuInit ended with error 803: the driver's library and its kernel module have"
    for asked in ("auto", "cuda"):
        with pytest.raises(RunError, match=f"{said} different versions. Mend it; --device cpu runs on the CPU"):
            settle_device(asked)
    assert RunError.exit_code == 1


def test_a_library_that_is_not_there_is_named(machine, monkeypatch):
    machine(A100)

    def fail():
        raise OSError("libcuda.so.1: cannot open shared object file")

    monkeypatch.setattr(driver, "_load", fail)
    with pytest.raises(RunError, match=r"libcuda\.so\.1 cannot be loaded"):
        settle_device("auto")


def test_gpus_that_are_hidden_are_none(machine, monkeypatch):
    machine(start=100)
    with pytest.raises(DriverError, match="error 100: it shows no GPU"):
        find_gpus()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert settle_device("auto").text == "the CPU (CUDA_VISIBLE_DEVICES hides every GPU)"
    with pytest.raises(SettingsError, match="--device cuda: no GPU is seen here; use auto or cpu"):
        settle_device("cuda")


def test_a_torch_without_cuda_is_said_and_refused_where_a_gpu_is_asked_for(machine):
    machine(A100, builds=())
    found = settle_device("auto")
    assert found.kind == CPU
    assert found.text == "the CPU (torch is built without CUDA, so NVIDIA A100-SXM4-40GB is not used)"
    with pytest.raises(SettingsError, match=r"built without CUDA.*install a torch that is built for it, or use cpu"):
        settle_device("cuda:0")


@pytest.mark.parametrize("asked", ["mps", "meta", "gpu", "cuda:x", "cuda:", "xpu:0"])
def test_other_devices_are_refused_in_one_line(machine, asked):
    machine(A100)
    with pytest.raises(SettingsError, match=f"--device {asked}: not supported; use auto, cpu, cuda or cuda:N"):
        settle_device(asked)


def test_a_gpu_beyond_the_last_is_refused(machine):
    machine(A100, TURING)
    with pytest.raises(SettingsError, match="--device cuda:2: 2 GPUs are seen here, from cuda:0 on"):
        settle_device("cuda:2")


@pytest.mark.parametrize(
    ("there", "said"),
    [((), "its driver shows it no GPU"), ((TURING,), "its driver shows it NVIDIA GeForce RTX 2080 Ti")],
)
def test_a_process_that_sees_other_gpus_than_the_runner_ends_the_run(machine, there, said):
    settled = Device("cuda:0", A100[0], driver="570.86")
    machine(*there)
    with pytest.raises(
        RunError, match=rf"the run computes on cuda:0, but the method's process cannot: {said}.*--device"
    ):
        confirm_driver(settled)


def test_a_process_in_which_the_driver_is_refused_something_ends_the_run(machine):
    machine(A100, start=304)
    with pytest.raises(RunError, match="cannot: cuInit ended with error 304: the system refused it something"):
        confirm_driver(Device("cuda:0", A100[0], driver="570.86"))


def test_a_process_that_sees_the_same_gpu_goes_on(machine):
    machine(TURING, A100)
    confirm_driver(Device("cuda:1", A100[0], driver="570.86"))
    confirm_driver(Device())


def test_a_torch_that_cannot_compute_on_the_gpu_ends_the_run(machine):
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(RunError, match=r"the run computes on cuda:0, but .* torch says: .*--device cpu"):
        confirm_device("cuda:0")
    assert confirm_device("cpu") == "cpu"


def test_what_torch_is_built_for_is_known_without_loading_it():
    code = (
        "import sys\nfrom unseg_bench.plugins.device import torch_builds, settle_device\n"
        "print(sorted(torch_builds()), settle_device('cpu').name, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60)
    built = [name for name, number in (("cuda", torch.version.cuda), ("hip", torch.version.hip)) if number]
    assert done.stdout.strip() == f"{built} cpu False"


def test_peak_memory_is_the_process_s_and_of_a_gpu_only_where_it_was_used():
    peak = peak_memory("cpu")
    assert set(peak) == {"process"}
    assert 10_000_000 < peak["process"] < 1 << 40
