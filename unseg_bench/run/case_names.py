"""Names under which a method sees cases: they follow from the images alone, so that ids carry nothing.

An id such as 'BraTS20_Training_041' could tell a method which case it is, and the order of cases what comes next. The
name here is made of the digest of the prepared image, and cohorts are handed over in the order of these names.
"""

import hashlib
import re
from collections.abc import Mapping
from typing import Any, cast

from unseg_bench.data.cohort import Cohort

_NAME = re.compile(r"case-[0-9a-f]{12}(?:-[0-9]+)?")


class CaseNames:
    """Both names of every case that a method was told of: `real` ids and those that the method sees."""

    def __init__(self) -> None:
        self._seen: dict[str, str] = {}
        self._real: dict[str, str] = {}

    def hide(self, cohort: Cohort) -> Cohort:
        """Return the cohort as the method sees it. Cases with the very same image are numbered, in the order of ids."""
        for case_id, digest in sorted(cohort.digests.items()):
            if case_id not in self._seen:
                self._add(case_id, f"case-{hashlib.sha256(digest.encode()).hexdigest()[:12]}")
        return cohort.renamed(self._seen)

    def seen(self, case_id: str) -> str:
        """Return the name under which the method sees a case."""
        return self._seen[case_id]

    def real(self, name: str) -> str:
        """Return a case's id; a name that was never given stays as it is."""
        return self._real.get(name, name)

    def restore(self, value: Any) -> Any:  # noqa: ANN401 - whatever JSON can hold
        """Return a JSON value with the real ids in all of its texts."""
        if isinstance(value, str):
            return _NAME.sub(lambda found: self.real(found[0]), value)
        if isinstance(value, Mapping):
            return {self.restore(key): self.restore(one) for key, one in cast("Mapping[str, Any]", value).items()}
        if isinstance(value, list | tuple):
            return [self.restore(one) for one in cast("list[Any]", value)]
        return value

    def to_json(self) -> dict[str, str]:
        """Return id -> name, for run.json."""
        return dict(sorted(self._seen.items()))

    def _add(self, case_id: str, name: str) -> None:
        number, free = 1, name
        while free in self._real:
            number += 1
            free = f"{name}-{number}"
        self._seen[case_id], self._real[free] = free, case_id
