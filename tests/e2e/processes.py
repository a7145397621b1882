"""Processes that tests start: none outlives its test, nor the whole run, however that ends."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, AnyStr, Self

STARTED: list[Process[Any]] = []
"""Those that nobody has ended yet."""

_SETPRIV = shutil.which("setpriv")
DIES_WITH_US = (_SETPRIV, "--pdeathsig", "KILL", "--") if _SETPRIV else ()
"""Linux kills what starts behind these words when the thread that started it is gone: a run that is itself killed has
no ``finally``. (Python's own ``preexec_fn`` could do the same; it is deprecated beside threads.)
"""


class Process(subprocess.Popen[AnyStr]):
    """A process with a group of its own. Leaving its block kills whatever of the group still runs."""

    def __init__(self, command: Sequence[str | Path], *, start_new_session: bool = True, **options: Any) -> None:
        super().__init__([*DIES_WITH_US, *command], start_new_session=start_new_session, **options)
        STARTED.append(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.end()

    def end(self) -> None:
        """Kill it and all that it started, wait for it, and close its pipes; the second time does nothing."""
        if self not in STARTED:
            return
        STARTED.remove(self)
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.kill()  # where the group is not its own (yet)
        for pipe in (self.stdin, self.stdout, self.stderr):
            if pipe is not None:
                pipe.close()
        self.wait()
