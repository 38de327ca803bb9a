"""A sandboxed process's place to work: folders of its own that go away with it, and what it was given to read."""

import os
import shutil
from contextlib import suppress
from pathlib import Path
from tempfile import mkdtemp

from unseg_bench.data.atomic import make_folder
from unseg_bench.data.paths import cache_dir
from unseg_bench.sandbox.landlock import READ, WORK, Rule

_KEPT_VARIABLES = (
    *("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "LD_LIBRARY_PATH", "PYTHONHASHSEED"),
    *("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS", "NUMEXPR_NUM_THREADS"),
    *("OMP_PROC_BIND", "OMP_PLACES", "GOMP_CPU_AFFINITY", "KMP_AFFINITY", "MKL_CBWR", "MKL_DYNAMIC", "OMP_DYNAMIC"),
    *("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "CUBLAS_WORKSPACE_CONFIG", "PYTORCH_CUDA_ALLOC_CONF"),
    *("NVIDIA_TF32_OVERRIDE", "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE"),
)
_FOLDERS = {
    "HOME": "home",
    "TMPDIR": "tmp",
    "UBENCH_CACHE": "cache",
    "XDG_CACHE_HOME": "home/.cache",
    "XDG_CONFIG_HOME": "home/.config",
    "MPLCONFIGDIR": "libraries/matplotlib",
    "NUMBA_CACHE_DIR": "libraries/numba",
    "TORCHINDUCTOR_CACHE_DIR": "libraries/inductor",
    "TRITON_CACHE_DIR": "libraries/triton",
    "CUDA_CACHE_PATH": "libraries/cuda",
}
"""Where the process and its libraries write; all of it is new in every run, so that no run finds what another left."""
_FIXED = {"JOBLIB_MULTIPROCESSING": "0"}
"""Sandboxed processes have no shared memory, and joblib would warn of it."""


class Workspace:
    """One sandboxed process's folders below the cache: what is in `work` goes away with it, from `given` it may read.

    `partials` is where stages are made: it outlives the process, and belongs to one run; None: nothing is made.
    """

    def __init__(self, partials: Path | None) -> None:
        base = cache_dir().resolve() / "sandbox"
        make_folder(base)
        _sweep(base)
        self.folder = Path(mkdtemp(prefix=f"{os.getpid()}-", dir=base))
        self.work, self.given = self.folder / "work", self.folder / "given"
        self.folders = [self.folder, *([] if partials is None else [partials.resolve()])]
        for folder in (self.given, *self.folders, *map(Path, self._folders.values())):
            folder.mkdir(parents=True, exist_ok=True)

    @property
    def rules(self) -> list[Rule]:
        """What the process may do here: change its work and unfinished stages, read what it was given."""
        return [Rule(self.work, WORK), *(Rule(folder, WORK) for folder in self.folders[1:]), Rule(self.given, READ)]

    @property
    def environment(self) -> dict[str, str]:
        """The process's environment: nothing but language, threads, GPU choice, and folders of its own."""
        kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
        return {**kept, **_FIXED, **self._folders}

    @property
    def _folders(self) -> dict[str, str]:
        return {name: str(self.work / folder) for name, folder in _FOLDERS.items()}

    def hand_over(self, file: Path, sha256: str) -> Path:
        """Put a file where the process can read it, and return that path: a hard link where possible, else a copy."""
        place = self.given / sha256[:16] / file.name
        if not place.exists():
            place.parent.mkdir(exist_ok=True)
            _link_or_copy(file, place)
        return place

    def hand_over_folder(self, folder: Path) -> Path:
        """The same of all files of a folder, the folders in it included."""
        place = self.given / "folders" / folder.name
        if not place.exists():
            shutil.copytree(folder, place, copy_function=_link_or_copy)
        return place

    def leave(self) -> None:
        """Remove the folder; `partials` stays."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _link_or_copy(source: str | Path, target: str | Path) -> None:
    try:
        Path(target).hardlink_to(Path(source).resolve())
    except OSError:
        shutil.copyfile(source, target)


def _sweep(folder: Path) -> None:
    """Remove the workspaces of processes that are gone."""
    for workspace in folder.iterdir():
        with suppress(ValueError, OverflowError, PermissionError):
            if not _is_alive(int(workspace.name.partition("-")[0])):
                shutil.rmtree(workspace, ignore_errors=True)


def _is_alive(process: int) -> bool:
    """Whether there is such a process, ours; raises PermissionError where it is somebody else's."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True
