"""Which paths a sealed process may open: the interpreter, packages, the plugin's own files, and its places to work."""

import importlib
import importlib.util
import site
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

from unseg_bench.sandbox.landlock import DEVICE, LIST, READ, Right, Rule

_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64")
_CONFIGURATION = (
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/localtime",
    "/etc/timezone",
    "/etc/os-release",
    "/etc/passwd",
    "/etc/group",
    "/etc/nsswitch.conf",
    "/etc/fonts",
    "/etc/alternatives",
)
_MACHINE = (
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/filesystems",
    "/proc/sys/kernel",
    "/proc/sys/vm",
    "/sys/devices/system",
    "/sys/fs/cgroup",
)
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
_GPU_READ = (
    "/proc/driver/nvidia",
    "/proc/driver/nvidia-uvm",
    "/proc/devices",
    "/proc/modules",
    "/sys/bus/pci",
    "/sys/devices",
    "/sys/class/drm",
    "/etc/OpenCL",
)
_GPU_DEVICES = ("/dev/nvidia*", "/dev/nvidia-caps/*", "/dev/dri/*", "/dev/kfd")


def interpreter_rules(own: Sequence[Path], hidden: Sequence[Path]) -> list[Rule]:
    """Return what every Python process needs to read, and the plugin's `own` files; `hidden` paths are left out.

    A folder with a hidden path beneath it is opened part by part; the names in it can be listed, no more.
    """
    kept_out = [path.resolve() for path in hidden]
    rules: list[Rule] = []
    for root in dict.fromkeys(path.resolve() for path in [*_interpreter_roots(), *_package_roots()]):
        rules += _carve(root, [path for path in kept_out if path not in own])
    rules += [Rule(path.resolve(), READ) for path in own]
    rules = [rule for rule in dict.fromkeys(rules) if not _is_covered(rule, rules)]
    rules += [Rule(Path(path), READ) for path in (*_CONFIGURATION, *_MACHINE)]
    rules += [Rule(Path(path), DEVICE) for path in _DEVICES]
    return rules


def gpu_rules() -> list[Rule]:
    """Return what a process needs to compute on a GPU: the driver's device files and its facts; nothing without one."""
    devices = [path for pattern in _GPU_DEVICES for path in Path("/").glob(pattern.lstrip("/"))]
    if not devices:
        return []
    return [*(Rule(path, DEVICE) for path in devices), *(Rule(Path(path), READ) for path in _GPU_READ)]


def opens_gpu(rules: Iterable[Rule]) -> bool:
    """Whether rules open a GPU's device files."""
    return any(rule.path.match(pattern) for rule in rules for pattern in _GPU_DEVICES)


def find_hole(rules: Iterable[Rule], protected: Iterable[Path]) -> tuple[Path, Path] | None:
    """Return the first (rule's path, protected path) where the one opens the other, None when all are safe."""
    opened = {rule.path.resolve() for rule in rules if rule.rights & (Right.READ_FILE | Right.WRITE_FILE)}
    for path in protected:
        for place in (path.resolve(), *path.resolve().parents):
            if place in opened:
                return place, path
    return None


def find_inside(rules: Iterable[Rule], folders: Iterable[Path], allowed: Iterable[Path]) -> tuple[Path, Path] | None:
    """Return the first (rule's path, folder) where a rule opens something in one of the folders that is not `allowed`.

    What lies beneath an allowed path is allowed too.
    """
    free, places = [path.resolve() for path in allowed], [folder.resolve() for folder in folders]
    for rule in rules:
        path = rule.path.resolve()
        for folder in places:
            if path.is_relative_to(folder) and not any(path.is_relative_to(one) for one in free):
                return path, folder
    return None


def own_package(module_name: str) -> tuple[str, Path]:
    """Return what a plugin's module is part of: the outermost package with files of its own, or the module itself.

    As its name, and its folder or file. Raises ModuleNotFoundError.
    """
    parts = module_name.split(".")
    for count in range(1, len(parts) + 1):
        name = ".".join(parts[:count])
        module = sys.modules.get(name)
        spec = module.__spec__ if module else importlib.util.find_spec(name)
        if spec is not None and spec.origin is not None:
            file = Path(spec.origin).resolve()
            return name, file.parent if spec.submodule_search_locations else file
    raise ModuleNotFoundError(module_name)


def import_paths() -> list[str]:
    """Return this process's import path with absolute entries, for a process that starts in another folder."""
    return list(dict.fromkeys(str(Path(entry).resolve()) for entry in sys.path if entry and Path(entry).exists()))


def _interpreter_roots() -> Iterator[Path]:
    yield from (Path(path) for path in _SYSTEM if Path(path).exists())
    yield from (Path(path) for path in {sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix})
    yield from (Path(path) for path in site.getsitepackages() if Path(path).is_dir())
    if site.ENABLE_USER_SITE and Path(site.getusersitepackages()).is_dir():
        yield Path(site.getusersitepackages())


def _package_roots() -> Iterator[Path]:
    """Packages outside the interpreter's folders: those of editable installs, and those on PYTHONPATH."""
    yield Path(str(importlib.import_module("unseg_bench").__file__)).parent
    for finder in sys.meta_path:
        mapping: object = getattr(sys.modules.get(getattr(finder, "__module__", "")), "MAPPING", None)
        if isinstance(mapping, dict):
            yield from (Path(str(path)) for path in cast("dict[str, Any]", mapping).values() if Path(path).exists())
    inside = [path.resolve() for path in _interpreter_roots()]
    for entry in map(Path, import_paths()):
        if entry.is_dir() and not any(entry.is_relative_to(root) for root in inside):
            yield from (file.parent for file in entry.glob("*/__init__.py"))
            yield from (file for pattern in ("*.py", "*.so") for file in entry.glob(pattern))


def _is_covered(rule: Rule, rules: Sequence[Rule]) -> bool:
    """Whether another rule opens a folder above."""
    above = {other.path for other in rules if other.rights & rule.rights == rule.rights}
    return any(parent in above for parent in rule.path.parents)


def _carve(root: Path, hidden: Sequence[Path]) -> Iterator[Rule]:
    """Open `root` as a whole, or, with something hidden beneath it, part by part; links are never followed."""
    if root in hidden or not root.exists():
        return
    if not any(path.is_relative_to(root) for path in hidden):
        yield Rule(root, READ)
        return
    yield Rule(root, LIST)
    for part in sorted(root.iterdir()):
        if not part.is_symlink():
            yield from _carve(part, hidden)
