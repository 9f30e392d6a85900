"""Writers in a process of their own: single-row commits at a steady rate, or as fast as they can.

    python -m benchmarks.writers URL TABLE RATE SECONDS SESSIONS [on|off]

A rate of 0 is as fast as they can; the last word is `synchronous_commit`. At a rate a writer that is late does not
skip: what is offered is the same whatever becomes of it. It prints what was committed and how long that took.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from dataclasses import dataclass

import psycopg
from psycopg import sql


@dataclass(frozen=True, slots=True)
class Written:
    """What writers achieved."""

    commits: int
    seconds: float

    @property
    def rate(self) -> float:
        return self.commits / self.seconds


def write(
    url: str, table: str, *, rate: float, seconds: float, sessions: int, synchronous_commit: str = "off"
) -> Written:
    """Run writers until they are done."""
    words = [url, table, str(rate), str(seconds), str(sessions), synchronous_commit]
    done = subprocess.run([sys.executable, "-m", "benchmarks.writers", *words], stdout=subprocess.PIPE, check=True)
    return Written(**json.loads(done.stdout))


def _main(url: str, table: str, rate: float, seconds: float, sessions: int, synchronous_commit: str) -> Written:
    connections = [psycopg.connect(url, autocommit=True, application_name="trickle_writer") for _ in range(sessions)]
    for connection in connections:
        connection.execute("SELECT set_config('synchronous_commit', %s, false)", (synchronous_commit,))
    statement = sql.SQL("INSERT INTO {} (writer) VALUES ({})").format(
        sql.Identifier(*table.split(".")), sql.Placeholder()
    )
    counts = [0] * sessions
    start = time.perf_counter() + 0.05

    def run(number: int) -> None:
        pause = sessions / rate if rate else 0.0
        upcoming = start + pause * number / sessions
        while upcoming < start + seconds and time.perf_counter() < start + 2 * seconds:
            wait = upcoming - time.perf_counter()
            if wait > 0:
                time.sleep(wait)
            connections[number].execute(statement, (number,))
            counts[number] += 1
            upcoming = upcoming + pause if rate else time.perf_counter()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(sessions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    taken = time.perf_counter() - start
    # Whoever kept up is done when the last moment of the schedule has come.
    return Written(sum(counts), max(taken, seconds))


if __name__ == "__main__":
    _url, _table, _rate, _seconds, _sessions, _synchronous = sys.argv[1:]
    _done = _main(_url, _table, float(_rate), float(_seconds), int(_sessions), _synchronous)
    print(json.dumps({"commits": _done.commits, "seconds": _done.seconds}))
