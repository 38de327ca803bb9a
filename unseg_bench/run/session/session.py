"""Opens the session of a run: who calls a method's `fit` and `segment`, and where."""

from typing import TypeAlias

from unseg_bench.plugins.history import LEDGER
from unseg_bench.run.host import RunHost
from unseg_bench.run.plan import RunPlan
from unseg_bench.run.session.local import LocalSession
from unseg_bench.run.session.sandboxed import SandboxSession

Session: TypeAlias = LocalSession | SandboxSession
"""One method at work. Cases have the names under which the method sees them; what the method raises is raised."""


def open_session(plan: RunPlan, host: RunHost, mode: str, reason: str) -> Session:
    """Return the session of a run in a mode (see `seal.mode_of`), to be entered; raises RunError if there is none."""
    return LocalSession(plan, host, reason) if mode == LEDGER else SandboxSession(plan, host, mode, reason)
