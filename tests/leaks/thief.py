"""A method that claims to need no label and tries every way to a mask that we know of. Each attempt is one function.

An attempt returns what it got hold of (anything true), or raises. Where things lie is told by an option: the strongest
thief knows every path.
"""

# A thief takes the lowest door.
# ruff: noqa: PTH104, PTH111, PTH115, PTH116, PTH123, PTH208, BLE001, RUF012

import ctypes
import gc
import importlib
import mmap
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from unseg_bench import Context, Mask, Method, MethodOptions, Volume

ATTEMPTS: dict[str, Callable[["Places"], object]] = {}
AT_FDCWD, MASK_SIZE = -100, 1 << 16
libc = ctypes.CDLL(None, use_errno=True)


class Places(MethodOptions):
    """Where what must not be reached lies."""

    mask: str
    planted: dict[str, str] = {}
    parent: int = 0
    port: int = 0
    case: str = ""


def attempt(function: Callable[["Places"], object]) -> Callable[["Places"], object]:
    ATTEMPTS[function.__name__] = function
    return function


def system_call(number: int, *arguments: object) -> int:
    result = int(libc.syscall(ctypes.c_long(number), *arguments))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def content(path: str | Path) -> bytes:
    return Path(path).read_bytes()


# First, before the thief opens anything itself.


@attempt
def inherited_descriptors(places):
    folder = str(Path(places.mask).parents[1])
    links = [os.readlink(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd") if _is_open(name)]
    return [link for link in links if link.startswith(folder)]


# Ordinary ways, through ever lower doors.


@attempt
def nibabel(places):
    import nibabel as nib

    return np.asanyarray(nib.load(places.mask).dataobj).any()


@attempt
def glob_the_folder(places):
    return list(Path(places.mask).parents[1].glob("**/*.nii.gz"))


@attempt
def list_the_folder(places):
    return os.listdir(Path(places.mask).parent)


@attempt
def os_open(places):
    return os.read(os.open(places.mask, os.O_RDONLY), MASK_SIZE)


@attempt
def memory_map(places):
    with open(places.mask, "rb") as file:
        return bytes(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


@attempt
def cat(places):
    return subprocess.run(["cat", places.mask], check=True, capture_output=True).stdout


@attempt
def shell_redirection(places):
    return subprocess.run(f"dd < '{places.mask}'", shell=True, check=True, capture_output=True).stdout


@attempt
def another_python(places):
    code = f"import sys; sys.stdout.buffer.write(open({places.mask!r}, 'rb').read())"
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout


@attempt
def c_library(places):
    file = libc.open(places.mask.encode(), os.O_RDONLY)
    return file >= 0 and os.read(file, MASK_SIZE)


@attempt
def openat2(places):
    how = (ctypes.c_uint64 * 3)(os.O_RDONLY, 0, 0)
    file = system_call(437, AT_FDCWD, places.mask.encode(), ctypes.byref(how), ctypes.c_size_t(24))
    return os.read(file, MASK_SIZE)


@attempt
def a_thread(places):
    return _in_thread(lambda: content(places.mask))


@attempt
def a_fork(places):
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writing, content(places.mask))
        finally:
            os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    return os.read(reading, MASK_SIZE)


@attempt
def path_only_then_dev_fd(places):
    file = os.open(places.mask, os.O_PATH)
    return content(f"/dev/fd/{file}")


@attempt
def path_only_then_openat(places):
    folder = os.open(Path(places.mask).parent, os.O_PATH)
    return os.read(os.open("seg.nii.gz", os.O_RDONLY, dir_fd=folder), MASK_SIZE)


@attempt
def working_folder(places):
    os.chdir(Path(places.mask).parent)
    try:
        return content("seg.nii.gz")
    finally:
        os.chdir(tempfile.gettempdir())


# Links and moves.


@attempt
def symbolic_link(places):
    link = Path(tempfile.mkdtemp(), "link")
    link.symlink_to(places.mask)
    return content(link)


@attempt
def hard_link(places):
    link = Path(tempfile.mkdtemp(), "link")
    link.hardlink_to(places.mask)
    return content(link)


@attempt
def move_it_here(places):
    here = Path(tempfile.mkdtemp(), "moved")
    os.rename(places.mask, here)
    data = content(here)
    os.rename(here, places.mask)
    return data


@attempt
def copy_file_range(places):
    with open(places.mask, "rb") as source, tempfile.TemporaryFile() as target:
        return os.copy_file_range(source.fileno(), target.fileno(), MASK_SIZE)


# The runner's process.


@attempt
def root_of_the_runner(places):
    return content(f"/proc/{places.parent}/root{places.mask}")


@attempt
def root_of_this_process(places):
    return content(f"/proc/self/root{places.mask}")


@attempt
def descriptors_of_the_runner(places):
    return os.listdir(f"/proc/{places.parent}/fd")


@attempt
def memory_of_the_runner(places):
    return os.open(f"/proc/{places.parent}/mem", os.O_RDONLY)


@attempt
def environment_of_the_runner(places):
    return content(f"/proc/{places.parent}/environ")


@attempt
def process_vm_readv(places):
    maps = content(f"/proc/{os.getpid()}/maps").split(b"-")[0]
    buffer = ctypes.create_string_buffer(8)
    local = (ctypes.c_size_t * 2)(ctypes.addressof(buffer), 8)
    remote = (ctypes.c_size_t * 2)(int(maps, 16), 8)
    return system_call(310 if os.uname().machine == "x86_64" else 270, places.parent, local, 1, remote, 1, 0)


@attempt
def ptrace_the_runner(places):
    seize = 0x4206
    return system_call(101 if os.uname().machine == "x86_64" else 117, seize, places.parent, None, None) == 0


@attempt
def descriptor_of_the_runner_by_pidfd(places):
    return system_call(438, os.pidfd_open(places.parent), 1, 0)


@attempt
def signal_the_runner(places):
    os.kill(places.parent, signal.SIGCONT)
    return True


# The kernel's side doors.


@attempt
def file_handle(places):
    handle = (ctypes.c_uint32 * 34)(128)
    numbers = (303, 304) if os.uname().machine == "x86_64" else (264, 265)
    mount = ctypes.c_int()
    system_call(numbers[0], AT_FDCWD, places.mask.encode(), handle, ctypes.byref(mount), 0)
    folder = os.open(tempfile.gettempdir(), os.O_RDONLY)
    return os.read(system_call(numbers[1], folder, handle, os.O_RDONLY), MASK_SIZE)


@attempt
def io_uring(places):
    return system_call(425, 4, (ctypes.c_uint32 * 30)())


@attempt
def a_namespace_of_its_own(places):
    new_user, new_mount = 0x10000000, 0x00020000
    if libc.unshare(new_user | new_mount) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return True


@attempt
def bind_mount(places):
    target, bind = tempfile.mkdtemp(), 4096
    if libc.mount(str(Path(places.mask).parent).encode(), target.encode(), None, bind, None) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return content(Path(target, "seg.nii.gz"))


@attempt
def change_the_root(places):
    child = os.fork()
    if child == 0:
        try:
            os.chroot(Path(places.mask).parent)
            os._exit(0 if content("/seg.nii.gz") else 1)
        finally:
            os._exit(1)
    return os.waitpid(child, 0)[1] == 0


@attempt
def device_file(places):
    path = Path(tempfile.mkdtemp(), "disk")
    os.mknod(path, 0o600 | 0o060000, os.stat(places.mask).st_dev)
    return os.open(path, os.O_RDONLY)


@attempt
def overwrite_the_mask(places):
    os.truncate(places.mask, os.stat(places.mask).st_size)
    return True


@attempt
def note_on_a_file(places):
    return os.getxattr(places.mask, "user.mask")


# What an accomplice, such as an earlier run with labels, may have left somewhere.


@attempt
def shared_memory_file(places):
    return content(places.planted["shared_memory"])


@attempt
def system_v_shared_memory(places):
    number = system_call(29 if os.uname().machine == "x86_64" else 194, int(places.planted["segment"]), 64, 0)
    return number + 1


@attempt
def temporary_file(places):
    return content(places.planted["temporary"])


@attempt
def home_folder(places):
    return os.listdir(os.path.expanduser("~" + os.environ.get("USER", "root")))


@attempt
def stage_of_an_unsealed_run(places):
    return content(places.planted["stage"])


@attempt
def scores_of_a_run(places):
    return content(places.planted["scores"])


@attempt
def predictions_of_a_supervised_run(places):
    return content(places.planted["prediction"])


@attempt
def prepared_image_of_another_case(places):
    return os.listdir(places.planted["prepared"])


@attempt
def weights_left_by_another_run(places):
    return content(places.planted["weights"])


@attempt
def weights_for_a_later_run(places):
    return Path(places.planted["weights"]).with_name("left.bin").write_bytes(b"left")


@attempt
def network(places):
    with socket.create_connection(("127.0.0.1", places.port), timeout=5) as line:
        return line.recv(64)


@attempt
def network_by_a_program(places):
    code = f"import socket; socket.create_connection(('127.0.0.1', {places.port}), 5)"
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).returncode == 0


@attempt
def local_service(places):
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(places.planted["service"])
        return line.recv(64)


# Python's own doors.


@attempt
def the_only_door(places):
    return places_context().labels.mask(places.case, "curiosity").any()


@attempt
def read_reference(places):
    from unseg_bench.data.files import ReferenceFile
    from unseg_bench.data.labels import read_whole_tumour
    from unseg_bench.data.nifti import read_labels

    return read_whole_tumour(ReferenceFile(Path(places.mask)), read_labels(Path(places.mask))).any()


@attempt
def the_data_sets_own_code(places):
    return importlib.import_module("unseg_bench_datasets.folder").FolderDataset


@attempt
def objects_in_memory(places):
    from unseg_bench.data.labels import LabelDoor
    from unseg_bench.plugins.dataset import Dataset

    return [one for one in gc.get_objects() if isinstance(one, Dataset | LabelDoor)]


@attempt
def environment(places):
    folder = str(Path(places.mask).parents[1])
    return [name for name, value in os.environ.items() if folder in value]


@attempt
def weights_that_are_a_mask(places):
    from unseg_bench.blocks.weights import resolve

    return content(resolve(places.mask).path)


@attempt
def a_case_that_was_not_given(places):
    return _line().ask("volume", cohort="test", case="../../case-0/seg.nii.gz")


@attempt
def a_stage_outside_the_cache(places):
    return _line().ask("stage", stage="x", key={"stage": "../../../stages/x"}, device="cpu")


@attempt
def a_label_by_hand(places):
    return _line().ask("label", kind="mask", case=places.case, purpose="curiosity")


@attempt
def patched_supervision(places):
    from unseg_bench import Supervision

    Thief.supervision = Supervision.PROMPTS_FROM_MASKS
    return places_context().labels.mask(places.case, "patched").any()


_context: list[Context] = []


def places_context() -> Context:
    return _context[-1]


def _line() -> Any:
    return places_context()._line


def _in_thread(work: Callable[[], object]) -> object:
    got: list[object] = []

    def keep() -> None:
        try:
            got.append(work())
        except OSError:
            got.append(None)

    thread = threading.Thread(target=keep)
    thread.start()
    thread.join()
    return got[0]


def _is_open(name: str) -> bool:
    return os.path.lexists(f"/proc/self/fd/{name}")


class Thief(Method):
    """Tries everything once, on its first case, and writes down what came of it."""

    name = "thief"
    Options = Places
    tried = False

    def segment(self, volume: Volume, context: Context) -> Mask:
        if not self.tried:
            self.tried = True
            _context.append(context)
            for name, function in ATTEMPTS.items():
                context.note("attempt", {"name": name, **self._try(function)})
        return volume.brain & (volume.image > 1)

    def _try(self, function: Callable[[Places], object]) -> dict[str, object]:
        try:
            got = function(self.options)
        except Exception as error:
            return {"got": False, "why": f"{type(error).__name__}: {error}"}
        return {"got": bool(got), "why": "" if got else "nothing was there"}
