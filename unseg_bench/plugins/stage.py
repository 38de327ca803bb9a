"""A stage: a named step whose result is kept under the digest of all that it depends on."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from unseg_bench.data.atomic import full_disk
from unseg_bench.data.cohort import Cohort
from unseg_bench.errors import PluginError, RunError, UbenchError
from unseg_bench.plugins.determinism import explain_failure, is_deterministic
from unseg_bench.plugins.digests import code_digest, digest_of

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")


@dataclass(frozen=True, slots=True)
class Artifact:
    """The finished result of a stage: a folder of files that nobody changes any more, and its digest."""

    stage: str
    folder: Path
    digest: str

    def path(self, name: str) -> Path:
        """Return the path of one file of the result."""
        return self.folder / name

    def array(self, name: str) -> NDArray[Any]:
        """Open `<name>.npy` as a read-only memory map."""
        return np.load(self.folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)


Input: TypeAlias = "Artifact | Cohort | str"
"""What a stage can depend on: another stage's result, a cohort, or a digest (of weights, say)."""


@dataclass(frozen=True, slots=True)
class Work:
    """What a stage function is given.

    `folder`: where the result's files go, kept as the artifact when the function returns. `scratch`: for checkpoints,
    survives a crash, deleted when the stage is done. `seed`: of this stage, derived from the run's seed and the stage's
    name. `device`: torch's name of it, e.g. 'cpu' or 'cuda:0'.
    """

    folder: Path
    scratch: Path
    seed: int
    device: str
    report: Callable[[int, int, str], None] = field(repr=False)

    def progress(self, done: int, total: int, note: str = "") -> None:
        """Report that `done` of `total` steps are finished."""
        self.report(done, total, note)


@dataclass(frozen=True, slots=True)
class Stage:
    """A named step with a cached result. Made by the decorator `stage`; run by `context.run`."""

    name: str
    function: Callable[..., None]
    seeded: bool
    module: str = field(repr=False)
    common: bool = False


def stage(name: str, *, seeded: bool = True, common: bool = False) -> Callable[[Callable[..., None]], Stage]:
    """Turn `function(work, options, **inputs)` into a Stage whose files are cached.

    The cache key is the stage's name, the code of its module and of what that imports from the same package or from
    `unseg_bench.blocks`, the options it is given, the digests of its inputs, and the seed unless `seeded` is False.
    `common`: runs that differ in what they read of labels ask for the same result, since its inputs say nothing of
    that (what SAM makes of a slice). A run then takes it only from a maker that had read no more than itself.
    Raises PluginError for a name that cannot be a folder's.
    """
    check_stage_name(name)

    def wrap(function: Callable[..., None]) -> Stage:
        return Stage(name, function, seeded, function.__module__, common)

    return wrap


def check_stage_name(name: str) -> None:
    """Raise PluginError, which says the rule, for a name that cannot be part of a folder's."""
    if not _NAME.fullmatch(name):
        raise PluginError(
            f"stage {name!r}: a name is 1 to 100 letters, digits, '.', '_' and '-', and begins with a letter or digit"
        )


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a stage with its options and inputs; `key` is everything that its result depends on."""

    stage: Stage
    options: BaseModel | None
    inputs: Mapping[str, Input]
    seed: int

    @property
    def key(self) -> dict[str, Any]:
        """The JSON value whose digest names the result."""
        return {
            "stage": self.stage.name,
            "code": code_digest(self.stage.module),
            "options": None if self.options is None else self.options.model_dump(mode="json"),
            "inputs": {name: _input_digest(value) for name, value in self.inputs.items()},
            "seed": self.seed if self.stage.seeded else None,
            **({"deterministic": True} if is_deterministic() else {}),
            **({"common": True} if self.stage.common else {}),
        }

    @property
    def cases(self) -> int:
        """How many cases its largest cohort has."""
        return max((len(value) for value in self.inputs.values() if isinstance(value, Cohort)), default=0)

    @property
    def stage_seed(self) -> int:
        """Seed of the stage: the same for every run with this seed, another one for another stage."""
        seed = self.seed if self.stage.seeded else 0
        return int(digest_of([self.stage.name, seed])[:8], 16)

    def compute(self, work: Work, extras: Mapping[str, Any]) -> None:
        """Call the stage's function; raises RunError naming the stage for whatever is no UbenchError."""
        arguments = [work] if self.options is None else [work, self.options]
        try:
            self.stage.function(*arguments, **self.inputs, **extras)
        except UbenchError:
            raise
        except Exception as error:
            failed = RunError(f"stage '{self.stage.name}' failed: {explain_failure(type(error).__name__, error)}")
            raise full_disk(error, work.folder) or failed from error


def _input_digest(value: Input) -> str:
    return value if isinstance(value, str) else value.digest
