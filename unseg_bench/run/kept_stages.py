"""Stages of a run that is over: taken as they were left, and not made again unless that is asked for."""

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any

from unseg_bench.data.paths import cache_dir
from unseg_bench.errors import DataError
from unseg_bench.run.desk import StageDesk
from unseg_bench.run.folder import RunFolder
from unseg_bench.run.ledger import Ledger
from unseg_bench.run.progress import Reporter
from unseg_bench.run.stages import Attempt, StageCache


class KeptStages(StageDesk):
    """The stages in `kept`, where the run left them, else those of unsealed runs.

    What is in neither is refused; with `recompute`, or after `allow_more`, it is made, among those of unsealed runs:
    what this process makes must never pass for the work of a sealed one.
    """

    def __init__(
        self, kept: StageCache, folder: RunFolder, ledger: Ledger, reporter: Reporter, *, recompute: bool
    ) -> None:
        self._unsealed = StageCache(cache_dir() / "stages")
        super().__init__(self._unsealed, folder, ledger, reporter)
        self._kept, self._recompute = kept, recompute

    def allow_more(self) -> None:
        """From now on make what is missing: what was learned is there, and one case costs little."""
        self._recompute = True

    @contextmanager
    def attempt(self, stage: str, key: Mapping[str, Any], device: Callable[[], str]) -> Generator[Attempt]:
        """Give a stage's result, or folders to make it in; raises DataError where it is gone and not to be made."""
        if (found := self._kept.look_up(stage, key)) is not None:
            yield Attempt(found.folder, found.folder, found)
            return
        if not self._recompute and self._unsealed.look_up(stage, key) is None:
            raise DataError(
                f"the result of stage '{stage}' is no longer in the cache ({self._kept.folder}); "
                "`ubench run ... --force` makes it again as the run did, --recompute does it here"
            )
        with super().attempt(stage, key, device) as attempt:
            yield attempt
