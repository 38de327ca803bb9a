"""Weights of foundation models: known by name, fetched once, never used unless their SHA-256 is the expected one.

`resolve("sam-vit-b")` gives a checked file from the cache (and downloads it on first use); `resolve("./mine.pth")`
gives a file of the user's. Loading never unpickles code: safetensors, or `torch.load(weights_only=True)`.
"""

import hashlib
import logging
import sys
import zipfile
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from unseg_bench.blocks.clip.tags import find_tag_entry
from unseg_bench.blocks.threads import use_threads
from unseg_bench.blocks.weights_registry import REGISTRY, WeightsEntry, shipped_entries
from unseg_bench.data.atomic import write_text
from unseg_bench.data.locks import file_lock
from unseg_bench.data.paths import cache_dir
from unseg_bench.errors import WeightsError
from unseg_bench.words import first_of

if TYPE_CHECKING:
    from torch import Tensor, nn

_log = logging.getLogger(__name__)
_LISTED_KEYS = 6
Finder: TypeAlias = "Callable[[str, bool], WeightsFile]"
"""Called as (name or path, offline) in a run, whose host finds the files."""
_finders: list[Finder] = []


@dataclass(frozen=True, slots=True)
class WeightsFile:
    """A file of weights that may be loaded: where it is, its SHA-256 as found, and the name it was asked for by."""

    path: Path
    sha256: str
    name: str


@dataclass(frozen=True, slots=True)
class WeightsStatus:
    """One row of `ubench weights`: what is known of the weights, where they belong, and whether they are there."""

    entry: WeightsEntry
    path: Path
    present: bool


def known_weights() -> dict[str, WeightsEntry]:
    """All weights that have a name, by name."""
    return {entry.name: entry for entry in (*shipped_entries(), *REGISTRY)}


def list_weights() -> list[WeightsStatus]:
    """Every known set of weights and whether its file is here; nothing is downloaded or hashed."""
    places = [(entry, weights_path(entry)) for entry in known_weights().values()]
    return [WeightsStatus(entry, path, path.is_file()) for entry, path in places]


def missing_weights(names: Iterable[str]) -> dict[str, int]:
    """Return those of `names` (or paths) whose file is not here, with its bytes, 0 where that is not known."""
    found: dict[str, int] = {}
    for name in dict.fromkeys(names):
        entry = find_entry(name)
        here = Path(name).expanduser() if entry is None else weights_path(entry)
        if not here.is_file():
            found[name] = 0 if entry is None else entry.bytes or 0
    return found


def weights_path(entry: WeightsEntry) -> Path:
    """Where the file of `entry` belongs: beside the package's code, or in the cache."""
    return entry.packaged if entry.packaged is not None else cache_dir() / "weights" / entry.file


def find_entry(name: str) -> WeightsEntry | None:
    """Return what is known of weights by their name, those of open_clip's many tags included; None for a stranger."""
    return known_weights().get(name) or find_tag_entry(name)


def resolve(name_or_path: str | Path, *, offline: bool = False) -> WeightsFile:
    """Return the checked file of a known name, or of a path; a known name is downloaded on first use.

    In a run the harness finds the file and writes it down. `offline` never touches the network. Raises WeightsError for
    an unknown name, a missing file (saying which file to put where) and a wrong checksum.
    """
    if _finders:
        return _finders[-1](str(name_or_path), offline)
    return locate(name_or_path, offline=offline)


def resolve_entry(entry: WeightsEntry, *, offline: bool = False) -> WeightsFile:
    """`resolve` for weights that are described rather than known by name, as open_clip's many tags are."""
    if _finders:
        return _finders[-1](entry.name, offline)
    return _locate_entry(entry, offline=offline)


def locate(name_or_path: str | Path, *, offline: bool = False) -> WeightsFile:
    """`resolve` without asking anybody else: what a run's host does. Raises as `resolve`."""
    entry = find_entry(str(name_or_path))
    if entry is not None:
        return _locate_entry(entry, offline=offline)
    path = Path(name_or_path).expanduser()
    if not path.is_file():
        raise WeightsError(_unknown(str(name_or_path)))
    return WeightsFile(path, _check(path, _known_digest_of(path)), str(name_or_path))


@contextmanager
def find_through(finder: Finder) -> Generator[None]:
    """Have `finder` find all weights inside the block: a run's host, here or in another process."""
    _finders.append(finder)
    try:
        yield
    finally:
        _finders.remove(finder)


def _locate_entry(entry: WeightsEntry, *, offline: bool) -> WeightsFile:
    path = weights_path(entry)
    if not path.is_file():
        if entry.packaged is not None:
            raise WeightsError(f"{path} is missing from the installed package: reinstall unseg-bench.")
        if offline or entry.url is None:
            raise WeightsError(_how_to_place(entry, path))
        _download(entry, path)
    return WeightsFile(path, _check(path, entry.sha256), entry.name)


def load_state_dict(file: WeightsFile) -> "dict[str, Tensor]":
    """Read a state dict to the CPU from safetensors or a PyTorch file, without ever running code from it.

    A dict wrapped as `{"state_dict": ...}` is unwrapped. Raises WeightsError where the file holds anything but tensors.
    """
    if file.path.suffix == ".safetensors":
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            return load_file(file.path)
        except SafetensorError as error:
            raise WeightsError(f"{file.path} is not a readable safetensors file ({error}); get it anew.") from error
    return _load_torch(file.path)


def load_into(module: "nn.Module", file: WeightsFile, architecture: str) -> None:
    """Load `file` into `module`, every key of it and no other; `architecture` names the module in messages.

    Raises WeightsError naming missing, unexpected and mis-shaped keys.
    """
    check_keys(module, load_state_dict(file), file, architecture)


def check_keys(module: "nn.Module", state: "Mapping[str, Tensor]", file: WeightsFile, architecture: str) -> None:
    """Load `state`, read from `file`, into `module` or raise WeightsError naming the keys that do not fit."""
    wanted = {key: value.shape for key, value in module.state_dict().items()}
    problems = {
        "missing": [key for key in wanted if key not in state],
        "unexpected": [key for key in state if key not in wanted],
        "of another shape": [
            f"{key} {tuple(state[key].shape)} for {tuple(shape)}"
            for key, shape in wanted.items()
            if key in state and state[key].shape != shape
        ],
    }
    found = [f"{len(keys)} {kind}: {first_of(keys, _LISTED_KEYS)}" for kind, keys in problems.items() if keys]
    if found:
        raise WeightsError(
            f"{file.path} does not hold weights of {architecture} ({'; '.join(found)}): "
            "give the file that belongs to this architecture, or name the architecture of this file."
        )
    use_threads()
    module.load_state_dict(dict(state))


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, as lower-case hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _load_torch(path: Path) -> "dict[str, Tensor]":
    import torch

    if _is_torchscript(path):
        raise WeightsError(
            f"{path} is a TorchScript archive, which holds code: refused. Give the same weights as safetensors."
        )
    try:
        loaded: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file ends in one of very many errors
        raise WeightsError(
            f"{path} was not loaded: it is no plain state dict of tensors (a whole pickled model, or damaged), and "
            "files that could run code are refused. Save its state_dict as safetensors."
        ) from error
    if isinstance(loaded, dict) and isinstance(wrapped := cast("dict[str, Any]", loaded).get("state_dict"), dict):
        loaded = cast("dict[str, Any]", wrapped)
    if not isinstance(loaded, Mapping) or not all(
        isinstance(value, torch.Tensor) for value in cast("Mapping[str, Any]", loaded).values()
    ):
        raise WeightsError(f"{path} holds no state dict (names -> tensors); save the model's state_dict() instead.")
    return dict(cast("Mapping[str, Tensor]", loaded))


def _is_torchscript(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith("/constants.pkl") for name in archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError, RuntimeError):
        return False


def _check(path: Path, expected: str | None) -> str:
    """Return the file's SHA-256 once it is what it should be; where nothing is known, the first one seen is kept."""
    found = sha256_of(path)
    record = path.with_name(path.name + ".sha256")
    source = "is known"
    if expected is None and record.is_file():
        expected, source = record.read_text(encoding="utf-8").split()[0], f"was recorded in {record}"
    if expected is None:
        _record(record, found, path)
        return found
    if found != expected:
        raise WeightsError(f"{path} {_refuse(path)}: its SHA-256 is {found}, but {expected} {source}. Get it anew.")
    return found


def _record(record: Path, digest: str, path: Path) -> None:
    """Keep the first digest seen beside the file, in sha256sum's format; say so, also where that is not possible."""
    try:
        write_text(record, f"{digest}  {path.name}\n")
    except OSError as error:
        _log.warning("%s: SHA-256 %s trusted, but not recorded beside it (%s)", path, digest, error)
    else:
        _log.warning("%s: no checksum is known, SHA-256 %s trusted from now on (%s)", path, digest, record)


def _refuse(path: Path) -> str:
    """Take a bad file of ours out of the way, so that its good name is free again; a user's file stays."""
    if not path.is_relative_to(cache_dir()):
        return "was refused"
    aside = path.with_name(path.name + ".refused")
    path.replace(aside)
    return f"was refused and moved to {aside.name}"


def _download(entry: WeightsEntry, path: Path) -> None:
    import pooch

    path.parent.mkdir(parents=True, exist_ok=True)
    url, known = cast("str", entry.url), f"sha256:{entry.sha256}" if entry.sha256 else None
    downloader: Any = pooch.HTTPDownloader(progressbar=sys.stderr.isatty(), chunk_size=1 << 20, timeout=60)
    with file_lock(path.with_name(path.name + ".lock")):
        if path.is_file():
            return
        try:
            pooch.retrieve(url, known, fname=path.name, path=path.parent, downloader=downloader)
        except ValueError as error:
            raise WeightsError(
                f"{entry.url} came with a SHA-256 other than {entry.sha256}; it was thrown away. Try again, or compare "
                "the source: a proxy may have answered in its place."
            ) from error
        except OSError as error:
            raise WeightsError(f"{entry.url} cannot be reached ({error}). {_how_to_place(entry, path)}") from error


def _how_to_place(entry: WeightsEntry, path: Path) -> str:
    source = entry.url or entry.page
    digest = f"with SHA-256 {entry.sha256}" if entry.sha256 else "whose SHA-256 is recorded on first use"
    return f"Weights {entry.name} are not here: put {source} at {path} ({digest}), or give a file by its path."


def _known_digest_of(path: Path) -> str | None:
    """The published digest of a file with a published file's name, wherever it lies; that of the shipped files."""
    published = {entry.file: entry.sha256 for entry in REGISTRY}
    shipped = {entry.packaged: entry.sha256 for entry in shipped_entries()}
    return published.get(path.name) or shipped.get(path.resolve())


def _unknown(name: str) -> str:
    names = list(known_weights())
    near = get_close_matches(name, names, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"known names: {', '.join(names)}"
    return f"{name!r} is neither a file nor known weights; {hint} (`ubench weights` lists them)."
