"""What CUDA's library does as it starts works in a sealed process with a GPU, and nothing else is open for it."""

import os
from pathlib import Path

import pytest

from unseg_bench.sandbox import namespaces

WAYS = {"namespaces": {}, "no namespaces": {"wanted": ()}, "old kernel": {"wanted": (), "abi": 1}}
FAKE_LIBCUDA = """
import ctypes, errno, fcntl, mmap, os, socket, threading
from pathlib import Path

libc = ctypes.CDLL(None, use_errno=True)
libc.pthread_self.restype = ctypes.c_ulong
OPERATING_SYSTEM = 304

def name_a_thread(name):
    # As CUDA does: from another thread than the one that is named, so the C library writes /proc/self/task/N/comm.
    known, done = threading.Event(), threading.Event()
    def work():
        work.id, work.number = libc.pthread_self(), threading.get_native_id()
        known.set()
        done.wait()
    thread = threading.Thread(target=work)
    thread.start()
    known.wait()
    try:
        code = libc.pthread_setname_np(ctypes.c_ulong(work.id), name.encode())
        return code, Path(f"/proc/self/task/{work.number}/comm").read_text().strip()
    finally:
        done.set()
        thread.join()

def look_for_the_service():
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC) as asks:
        asks.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        return asks.connect_ex("/tmp/nvidia-mps/control")

def ask_the_driver(file):
    device = os.open(file, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.ioctl(device, 0xC020462A, bytearray(32))
    except OSError as error:
        # Another device stands for it, which does not know the request; what is refused ends with EACCES.
        return error.errno == errno.ENOTTY
    finally:
        os.close(device)

def share_memory():
    file = os.memfd_create("cuda")
    os.ftruncate(file, 4096)
    with mmap.mmap(file, 4096, mmap.MAP_SHARED) as here, mmap.mmap(file, 4096, mmap.MAP_SHARED) as there:
        here[:4] = b"cuda"
        return there[:4] == b"cuda"

def keep_a_kernel():
    folder = Path(os.environ["CUDA_CACHE_PATH"])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "index").write_bytes(b"kernel")
    return (folder / "index").read_bytes() == b"kernel"

def cu_init(folder):
    for facts in ("modules", "devices", "self/maps", "self/status"):
        if os.path.exists(f"/proc/{facts}"):
            Path(f"/proc/{facts}").read_text()
    for device in ("nvidiactl", "nvidia-uvm", "nvidia0"):
        if not ask_the_driver(f"{folder}/{device}"):
            return f"{device} is refused"
    if look_for_the_service() != errno.ENOENT:
        return "the service of shared GPUs is not absent"
    if not share_memory() or not keep_a_kernel():
        return "no memory, or no cache"
    return 0 if name_a_thread("cuda-EvtHandlr") == (0, "cuda-EvtHandlr") else OPERATING_SYSTEM
"""
TOOLS = """
import ctypes, errno, os, socket
libc = ctypes.CDLL(None, use_errno=True)
from unseg_bench.sandbox.syscalls import numbers
def call(name, *arguments):
    if libc.syscall(ctypes.c_long(numbers(os.uname().machine)[name]), *arguments) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
def socket_of_packets():
    return socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
"""


@pytest.fixture
def devices(tmp_path):
    folder = tmp_path / "dev"
    folder.mkdir()
    if not Path("/dev/ptmx").exists():
        pytest.skip("this system has no device file that stands for a GPU's")
    for name in ("nvidiactl", "nvidia-uvm", "nvidia0"):
        (folder / name).symlink_to("/dev/ptmx")
    return folder


@pytest.fixture(params=WAYS)
def way(request):
    return WAYS[request.param]


def test_without_the_rules_of_a_gpu_the_device_is_refused(start, devices, way):
    assert "Permission denied" in start(**way).run(f"{FAKE_LIBCUDA}\ngot = cu_init({str(devices)!r})")


def answers(inside, attempts):
    code = "\ngot = 'done'\ntry:\n    {}\nexcept OSError as error:\n    got = errno.errorcode[error.errno]"
    return {attempt: inside.run(TOOLS + code.format(attempt)) for attempt in attempts}


def test_a_driver_starts_in_a_process_with_a_gpu(start, devices, way):
    inside = start(**way, gpu=devices)
    assert inside.run(f"{FAKE_LIBCUDA}\ngot = cu_init({str(devices)!r})") == 0
    assert inside.process.refused_calls == []


def test_no_thread_is_named_in_a_process_without_one(start, way):
    assert start(**way).run(f"{FAKE_LIBCUDA}\ngot = name_a_thread('cuda-EvtHandlr')[0]") != 0


def test_it_is_the_rule_for_names_of_threads_that_lets_it_start(start, devices, way, monkeypatch):
    """The same process with all other rules for GPUs ends as CUDA does without that one, with error 304."""
    from unseg_bench.sandbox import policy

    monkeypatch.setattr(policy, "opens_gpu", lambda rules: False)
    inside = start(**way, gpu=devices)
    only_names = "ask_the_driver = lambda file: True\nlook_for_the_service = lambda: errno.ENOENT"
    assert inside.run(f"{FAKE_LIBCUDA}\n{only_names}\ngot = cu_init({str(devices)!r})") == 304


def test_names_of_other_processes_stay_and_nothing_else_in_proc_is_written(start, devices, way):
    before = Path("/proc/self/comm").read_text()
    inside = start(**way, gpu=devices, runner=os.getpid())
    parent = inside.run("import os\ngot = os.getppid()")
    attempts = [
        *(f"open('/proc/{other}/comm', 'r+')" for other in (os.getpid(), parent, 1)),
        f"open('/proc/{os.getpid()}/task/{os.getpid()}/comm', 'r+')",
        f"open('/proc/{parent}/task/{parent}/comm', 'r+')",
        *(f"open('/proc/self/{name}', 'r+')" for name in ("comm", "mem", "oom_score_adj", "clear_refs")),
        *(f"open('/proc/{name}', 'r+')" for name in ("sys/kernel/core_pattern", "sys/vm/drop_caches", "sysrq-trigger")),
        *(f"os.chmod('/proc/{name}', 0o777)" for name in ("cpuinfo", "modules", "self/task")),
        "os.mkdir(f'/proc/self/task/x')",
    ]
    told = answers(inside, attempts)
    assert {attempt: said for attempt, said in told.items() if said not in {"EACCES", "EROFS", "ENOENT", "EPERM"}} == {}
    assert Path("/proc/self/comm").read_text() == before


def test_its_own_threads_files_give_it_no_power(start, devices, way):
    """What else of its threads it can write is its own: no users, no credit with the kernel, no files beneath them."""
    inside = start(**way, gpu=devices)
    shown = inside.workspace.folder / "given" / "shown"
    shown.write_bytes(b"0" * 4096)
    told = answers(
        inside,
        [
            "os.write(os.open(f'/proc/self/task/{os.getpid()}/uid_map', os.O_WRONLY), b'0 0 1')",
            "os.write(os.open(f'/proc/self/task/{os.getpid()}/gid_map', os.O_WRONLY), b'0 0 1')",
            "os.write(os.open(f'/proc/self/task/{os.getpid()}/oom_score_adj', os.O_WRONLY), b'-1000')",
            f"open(f'/proc/self/task/{{os.getpid()}}/root{shown}', 'r+b')",
            f"os.open(f'/proc/self/task/{{os.getpid()}}/fd/' + str(os.open({str(shown)!r}, os.O_RDONLY)), os.O_RDWR)",
        ],
    )
    assert "done" not in told.values(), told
    wrote = f"""
import mmap, os, ctypes
with open({str(shown)!r}, "rb") as file:
    shared = mmap.mmap(file.fileno(), 4096, mmap.MAP_SHARED, mmap.PROT_READ)
place = next(int(line.split("-")[0], 16) for line in open("/proc/self/maps") if line.rstrip().endswith("shown"))
got = "wrote"
try:
    with open(f"/proc/self/task/{{os.getpid()}}/mem", "r+b", buffering=0) as memory:
        memory.seek(place)
        memory.write(b"1")
except OSError as error:
    got = error.strerror
"""
    assert inside.run(wrote) != "wrote"
    assert shown.read_bytes() == b"0" * 4096


def test_the_socket_that_a_driver_asks_for_leads_nowhere(start, devices, way):
    inside = start(**way, gpu=devices)
    told = answers(
        inside,
        [
            "socket.socket()",
            "socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)",
            "socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)",
            "socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)",
            "socket_of_packets().bind('here')",
            "call('bind', socket_of_packets().fileno(), b'\\1\\0\\0x', 4)",
            "socket_of_packets().listen()",
            "socket_of_packets().accept()",
            "socket_of_packets().sendto(b'x', 'here')",
            "socket_of_packets().setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)",
            "socket_of_packets().sendmsg([b'x'], [], 0, 'here')",
        ],
    )
    assert set(told.values()) == {"EACCES"}
    alone = answers(
        inside, ["socket_of_packets().connect('/run/systemd/notify')", "socket_of_packets().connect('\\0bus')"]
    )
    assert set(alone.values()) == {"ENOENT"}
    assert answers(inside, ["socket_of_packets().send(b'x')"]) == {"socket_of_packets().send(b'x')": "ENOTCONN"}


def test_names_of_threads_are_said_to_be_open_where_the_rest_is_read_only(start, devices):
    inside = start(gpu=devices)
    said = inside.process.enforced["namespaces"]
    if said.get(namespaces.MOUNT) != namespaces.ENFORCED:
        pytest.skip("this system gives no namespace of mounts")
    assert said[namespaces.THREADS] == namespaces.ENFORCED
    assert namespaces.THREADS not in start().process.enforced["namespaces"]
