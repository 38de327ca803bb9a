"""A sealed process's place to work: a folder of its own that goes away with it, and its plugin's stages."""

import os
import shutil
from contextlib import suppress
from pathlib import Path
from tempfile import mkdtemp

from unseg_bench.data.atomic import make_folder
from unseg_bench.data.paths import cache_dir
from unseg_bench.errors import RunError
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
}
_KEPT_FOLDERS = {
    "MPLCONFIGDIR": "matplotlib",
    "NUMBA_CACHE_DIR": "numba",
    "TORCHINDUCTOR_CACHE_DIR": "inductor",
    "TRITON_CACHE_DIR": "triton",
    "CUDA_CACHE_PATH": "cuda",
}
"""What libraries keep between processes, such as compiled code; nothing but this plugin's sealed processes use it."""
_FIXED = {"JOBLIB_MULTIPROCESSING": "0"}
"""Sealed processes have no shared memory, and joblib would warn of it."""


class Workspace:
    """One sealed process's folders below the cache: `work` it may change, from `weights` it may read.

    `stages` and `partials` are its plugin's finished and unfinished stages.
    `owner` is the module or package that the method comes from: its sealed stages are shared by its runs, and by no
    other plugin.
    """

    def __init__(self, owner: str) -> None:
        base = cache_dir().resolve() / "sealed"
        make_folder(base / "rooms")
        _sweep(base / "rooms")
        self.folder = Path(mkdtemp(prefix=f"{os.getpid()}-", dir=base / "rooms"))
        self.work, self.weights = self.folder / "work", self.folder / "weights"
        self.stages, self._tools = base / "stages" / owner, base / "tools" / owner
        self.partials = self.stages / "partial"
        for folder in (self.weights, self.partials, *map(Path, self._folders.values())):
            folder.mkdir(parents=True, exist_ok=True)

    @property
    def rules(self) -> list[Rule]:
        """What the process may do here: change its work and unfinished stages, read weights and finished stages."""
        return [
            Rule(self.work, WORK),
            Rule(self._tools, WORK),
            Rule(self.partials, WORK),
            Rule(self.stages, READ),
            Rule(self.weights, READ),
        ]

    @property
    def environment(self) -> dict[str, str]:
        """The process's environment: nothing but language, threads, GPU choice, and folders of its own."""
        kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
        return {**kept, **_FIXED, **self._folders}

    @property
    def _folders(self) -> dict[str, str]:
        own = {name: str(self.work / folder) for name, folder in _FOLDERS.items()}
        return own | {name: str(self._tools / folder) for name, folder in _KEPT_FOLDERS.items()}

    def hand_over(self, file: Path, sha256: str) -> Path:
        """Put a file where the process can read it, and return that path: a hard link where possible, else a copy."""
        place = self.weights / sha256[:16] / file.name
        if not place.exists():
            place.parent.mkdir(exist_ok=True)
            try:
                place.hardlink_to(file.resolve())
            except OSError:
                shutil.copyfile(file, place)
        return place

    def leave(self) -> None:
        """Remove the folder; the stages stay."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _sweep(rooms: Path) -> None:
    """Remove the rooms of processes that are gone."""
    for room in rooms.iterdir():
        with suppress(ValueError, OSError):
            if not Path("/proc", str(int(room.name.partition("-")[0]))).exists():
                shutil.rmtree(room, ignore_errors=True)


def only_plain_files(folder: Path) -> None:
    """Refuse links to elsewhere, pipes and the like in a result, which the runner would follow; raises RunError."""
    for parent, folders, names in os.walk(folder):
        for name in (*folders, *names):
            path = Path(parent, name)
            plain = path.is_dir() or (path.is_file() and path.stat().st_nlink == 1)
            if path.is_symlink() or not plain:
                raise RunError(f"{path} is a link or a special file; a stage's result holds plain files only")
