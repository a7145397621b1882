"""Mutants for the laws of whole examples, K1 and on."""

from __future__ import annotations

from callflow.call.live import LiveCall
from callflow.server.calls import Calls
from tests.mutants.mutant import Mutant

MUTANTS = (
    Mutant(
        law="no-errors",
        words="forgets the services behind a flow",
        of=LiveCall.get,
        old="return find_service(self._flow.services, service)",
        new="return find_service((), service)",
        flow="bank",
        call="wait 20s / hangup",
    ),
    Mutant(
        law="no-orphans",
        words="keeps a call that is over among the live ones",
        of=Calls.over,
        old="if self._live.pop(task.call_id, None) is None or task.start is None:",
        new="if self._live.get(task.call_id) is None or task.start is None:",
    ),
)
