"""Questions of a method's process, answered by a host: only members of Host, with checked arguments."""

from collections.abc import Callable
from typing import Any

from unseg_bench.data.cohort import Cohort
from unseg_bench.data.store import PreparedCase
from unseg_bench.errors import RunError
from unseg_bench.plugins.host import ASKED, TOLD, Host
from unseg_bench.run.session.codec import answer, listing, unpack, volume_answer
from unseg_bench.sandbox.channel import Message
from unseg_bench.sandbox.process import Answer


class Dispatch:
    """Hands questions to `host`. `open_case`: the name under which the method sees a case -> the case.

    `volumes` counts the volumes that were handed over, by cohort.
    """

    def __init__(self, host: Host, open_case: Callable[[str], PreparedCase]) -> None:
        self.host = host
        self.volumes: dict[str, int] = {}
        self._open_case = open_case
        self._cohorts: dict[str, Cohort] = {}

    def admit(self, cohort: Cohort) -> Message:
        """Let the process ask for this cohort's volumes; returns how the cohort is described to it."""
        self._cohorts[cohort.name] = cohort
        return listing(cohort)

    def volume(self, cohort: str, case_id: str) -> Answer:
        """Hand over one volume."""
        said = volume_answer(case_id, self._open_case(case_id))
        self.volumes[cohort] = self.volumes.get(cohort, 0) + 1
        return said

    def answer(self, question: Message) -> Answer:
        """Answer the process; raises what is to be raised there."""
        asked = str(question["ask"])
        values: list[Any] = unpack(question["values"], question["payload"])
        if asked == "volume":
            cohort, case_id = (str(value) for value in values)
            if cohort not in self._cohorts or case_id not in self._cohorts[cohort].case_ids:
                raise RunError(f"case {case_id} is in no cohort that this method was given")
            return self.volume(cohort, case_id)
        if asked not in ASKED:
            raise RunError(f"there is no {asked!r} to ask for")
        found = getattr(self.host, asked)(*values)
        if isinstance(found, Cohort):
            self._cohorts[found.name] = found
        return answer(found)

    def hear(self, message: Message) -> None:
        """Take what needs no answer."""
        if message["tell"] in TOLD:
            getattr(self.host, str(message["tell"]))(*message["values"])
