"""Which calls stop the whole process, and what to write instead.

All calls of a process share one thread. What waits without Trio, in a handler or in ``run``, makes every caller wait.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

WITH_TRIO = "await trio.to_thread.run_sync(…) in run, or a library that knows Trio"
"""The cure for whatever has no twin in Trio."""

ASYNC_CLIENT = f"take an async client such as httpx's, or {WITH_TRIO}"
"""The cure for HTTP."""

OR_BEFORE = "or read it when the module is imported"
"""The other cure for files."""

PROCESS = "await trio.run_process(…) in run"
"""The cure for other programs."""

BLOCKING: Mapping[str, str] = {
    # Full name of what is called, as a pattern: what to use in its place
    r"time\.sleep": "await trio.sleep(…) in run, or use the timeout of a state",
    r"builtins\.input|builtins\.breakpoint": "ask the caller for keys: nobody sits at the server",
    r"builtins\.open|io\.open": f"await trio.open_file(…) in run, {OR_BEFORE}",
    r"pathlib\.\w*Path\.(open|(read|write)_(text|bytes))": f"use trio.Path in run, {OR_BEFORE}",
    r"subprocess\.(run|call|check_call|check_output|getoutput|getstatusoutput|Popen)": PROCESS,
    r"os\.(system|popen|wait|waitpid)": PROCESS,
    r"socket\.(create_connection|getaddrinfo|gethostby\w+|getfqdn|socket)": "await trio.open_tcp_stream(…) in run",
    r"requests\.(get|post|put|patch|delete|head|options|request|Session|session)": ASYNC_CLIENT,
    r"requests\.(api|sessions)\.(\w+|Session\.\w+)": ASYNC_CLIENT,
    r"httpx\.(get|post|put|patch|delete|head|options|request|stream|Client)": "take httpx.AsyncClient, in run",
    r"httpx\._(api\.\w+|client\.Client(\.\w+)?)": "take httpx.AsyncClient, in run",
    r"urllib\.request\.(urlopen|urlretrieve)": ASYNC_CLIENT,
    r"urllib3\.(request|PoolManager)": ASYNC_CLIENT,
    r"http\.client\.HTTPS?Connection(\.\w+)?": ASYNC_CLIENT,
    r"(smtplib\.SMTP(_SSL)?|ftplib\.FTP(_TLS)?|imaplib\.IMAP4(_SSL)?|poplib\.POP3(_SSL)?)(\.\w+)?": WITH_TRIO,
    r"sqlite3\.(connect|Connection\.\w+|Cursor\.\w+)": WITH_TRIO,
    r"(psycopg2?|pymysql|MySQLdb|mysql\.connector)\.connect": WITH_TRIO,
    r"redis\.(client\.)?(Redis|StrictRedis)(\.\w+)?": WITH_TRIO,
    r"trio\.(run|from_thread\.run)": "await the function itself: Trio runs already",
}

FOREIGN = re.compile(r"asyncio\.(?!(\w+\.)?(iscoroutine|isfuture))\w.*")
"""Calls that need a loop of asyncio, which is not there."""

_BLOCKING = [(re.compile(pattern), cure) for pattern, cure in BLOCKING.items()]


def cure_for(*names: str) -> str | None:
    """Tell what to use in place of a call that blocks; None if none of its names is known to."""
    for pattern, cure in _BLOCKING:
        if any(pattern.fullmatch(name) for name in names):
            return cure
    return None
