"""How a program of this folder tests a driver: its seat, its checks, and their reports.

A check is a function; its name, with spaces, is the check's. It fails by an exception.
Reports go to standard output, a JSON line each; `test/support/driver-program.ts` reads them.
"""

import asyncio
import faulthandler
import inspect
import json
import os
import sys
import traceback
from urllib.parse import quote

HOST = os.environ["PGHOST"]
PORT = int(os.environ["PGPORT"])
PASSWORD = os.environ["PGPASSWORD"]
DATABASE = os.environ["PGDATABASE"]
LOGIN = os.environ["PGUSHER_LOGIN"]
TENANT = os.environ["PGUSHER_TENANT"]
# So that nothing is said twice: a check says in the driver's own words who connects.
for name in ("PGHOST", "PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE"):
    del os.environ[name]

STRATEGY = os.environ["PGUSHER_STRATEGY"]
IS_POOLED = os.environ["PGUSHER_MODE"] == "transaction"

ADDRESS = f"{quote(PASSWORD)}@{HOST}:{PORT}/{DATABASE}"
BIG = 8 * 1024 * 1024
OWNERS = "SELECT owner FROM items"
PID = "SELECT pg_backend_pid()"

_SECONDS_A_CHECK = 15

_checks = []


def check(test):
    """Makes a function a check. Coroutines get an event loop of their own."""
    _checks.append(test)
    return test


def check_where(applies):
    """A check for some seats only; elsewhere it is not reported."""
    return check if applies else lambda test: test


def run_checks():
    for test in _checks:
        name = test.__name__.replace("_", " ")
        faulthandler.dump_traceback_later(_SECONDS_A_CHECK, exit=True)
        try:
            asyncio.run(test()) if inspect.iscoroutinefunction(test) else test()
            _print({"check": name, "ok": True})
        except Exception:
            _print({"check": name, "ok": False, "detail": traceback.format_exc()})
    faulthandler.cancel_dump_traceback_later()


class Turn:
    """One use of a client between two changes of hands. The check sets `pid`."""

    pid = 0


def turns(count=3):
    """Lets server connections change hands behind each turn.

    Each turn has another one than the turn before; in session mode all have the same, and there
    are but two. The client holds nothing at the end of a turn; `pid` is of its last transaction.
    """
    count = count if IS_POOLED else 2
    pids = []
    for number in range(count):
        turn = Turn()
        yield turn
        pids.append(turn.pid)
        _swap(turn.pid if number + 1 < count else 0)
    assert 0 not in pids, "a turn names its server connection"
    changes = sum(1 for before, after in zip(pids, pids[1:]) if before != after)
    assert changes == (count - 1 if IS_POOLED else 0), f"server connections {pids}"


def pinned_turns(count=3):
    """Like `turns`, for a client that keeps its server connection while others work."""
    pids = set()
    for number in range(count):
        turn = Turn()
        yield turn
        pids.add(turn.pid)
        if IS_POOLED or number == 0:
            disturb()
    assert len(pids) == 1 and 0 not in pids, f"server connections {pids}"


def disturb():
    """Has others use every server connection that is free."""
    _swap(0)


def equal(found, wanted):
    assert found == wanted, f"{_brief(found)} is not {_brief(wanted)}"


def _brief(value):
    text = repr(value)
    return text if len(text) < 400 else f"{text[:400]}… ({len(text)})"


def _swap(pid):
    _print({"swap": pid})
    sys.stdin.readline()


def _print(message):
    print(json.dumps(message), flush=True)
