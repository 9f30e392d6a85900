"""Threads for work that blocks, used again: to start one makes whoever starts it wait until the system runs it.

    in_background ──▶ an idle thread, or a new one ──▶ work ──▶ idle ──nobody came for a while──▶ it ends

All are daemons: work that hangs in the operating system must not keep the process from ending. There are as many as
work at the same time, however many that is. Work sees the context variables of whoever asked for it, and what it sets
of them nobody else sees.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable
from contextvars import copy_context
from functools import partial
from queue import Empty, SimpleQueue

_IDLE_SECONDS = 5.0

Work = Callable[[], None]

_idle: deque[SimpleQueue[Work]] = deque()
# A forked process has none of them.
os.register_at_fork(after_in_child=_idle.clear)


def in_background(work: Work) -> None:
    """Have it done in another thread. It must not raise, and tells its result to whom it belongs by itself."""
    try:
        todo = _idle.pop()
    except IndexError:
        todo = SimpleQueue()
        threading.Thread(target=_serve, args=(todo,), name="blocking work", daemon=True).start()
    todo.put(partial(copy_context().run, work))


def _serve(todo: SimpleQueue[Work]) -> None:
    while True:
        try:
            work = todo.get(timeout=_IDLE_SECONDS)
        except Empty:
            try:
                _idle.remove(todo)
            except ValueError:
                continue  # it has just been taken, and work is about to come
            return
        work()
        del work  # an idle thread keeps nothing alive
        _idle.append(todo)
