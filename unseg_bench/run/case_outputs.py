"""What a run keeps beside its predictions: the maps they were cut from, where asked for, and alternative answers."""

from collections.abc import Generator
from contextlib import contextmanager

from unseg_bench.data.store import PreparedCase
from unseg_bench.errors import RunError
from unseg_bench.plugins.outputs import checked_alternative, checked_map, outside_segment
from unseg_bench.run.folder import RunFolder

MOST_ALTERNATIVES = 100
"""Of one case."""


class CaseOutputs:
    """Takes what `segment` hands over and writes it at once; the case's prediction, written after it, makes it count.

    With `keep_maps`, run.json names the cases that came without a map, so that they are not segmented for one again.
    """

    def __init__(self, folder: RunFolder, *, keep_maps: bool) -> None:
        self._folder, self._keep_maps = folder, keep_maps
        self._case: PreparedCase | None = None
        self._map_came = False
        self._names: set[str] = set()

    @contextmanager
    def case(self, prepared: PreparedCase) -> Generator[None]:
        """Take what is handed over for this case inside; what there was of it goes, and all of it after an error."""
        case_id = prepared.case_id
        self._folder.forget_case(case_id)
        self._case, self._map_came, self._names = prepared, False, set()
        try:
            yield
        except BaseException:
            self._folder.forget_case(case_id)
            raise
        finally:
            self._case = None
        if self._keep_maps:
            self._note_whether_a_map_came(case_id)

    def keep_map(self, case_id: str, scores: object) -> None:
        """Check a map (X, Y, Z), and write it if maps are kept.

        Raises ValueError for what is no map of the case, or a second one; RunError outside of the case.
        """
        prepared = self._open(case_id, "keep_map")
        if self._map_came:
            raise ValueError(f"keep_map: case {case_id} has a map already; one is kept")
        values = checked_map(prepared.placement.shape, scores)
        self._map_came = True
        if self._keep_maps:
            prepared.write_map(self._folder.map_file(case_id), values)

    def alternative(self, case_id: str, name: str, mask: object) -> None:
        """Check another answer, (X, Y, Z) bool, and write it.

        Raises ValueError for a bad name, one that the case has already, or what is no mask of the case; RunError
        outside of the case and where there are too many.
        """
        prepared = self._open(case_id, f"alternative {name!r}")
        checked = checked_alternative(prepared.placement.shape, name, mask)
        if name in self._names:
            raise ValueError(f"alternative {name!r}: case {case_id} has one of this name already")
        if len(self._names) == MOST_ALTERNATIVES:
            raise RunError(f"alternative {name!r}: case {case_id} has {MOST_ALTERNATIVES} already; no more are kept")
        self._names.add(name)
        prepared.write_prediction(self._folder.alternative(name, case_id), checked)

    def _open(self, case_id: str, what: str) -> PreparedCase:
        if self._case is None or self._case.case_id != case_id:
            raise outside_segment(what)
        return self._case

    def _note_whether_a_map_came(self, case_id: str) -> None:
        known = self._folder.without_map
        now = known - {case_id} if self._map_came else known | {case_id}
        if now != known:
            self._folder.update({"without_map": sorted(now)})
