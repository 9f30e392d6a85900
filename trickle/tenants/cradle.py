"""The process that those of tenants are forked from: it has imported the handlers, and waits.

It is alone: no thread, no connection, nothing that a fork could break. It ends with the supervisor, and so do the
others, each when it meets the end of its own socket.

    python -m trickle.tenants.cradle DESCRIPTOR LOG_FORMAT LOG_LEVEL PRELOADED MODULE…

`PRELOADED` are modules of ours, with commas between, that what is forked would else import each time.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import logging
import os
import signal
import socket
import sys
from collections.abc import Sequence

from trickle import logs
from trickle.jobs.registry import REGISTRY
from trickle.logs import event
from trickle.tenants import hot, wire

log = logging.getLogger(__name__)


def main(arguments: Sequence[str]) -> int:
    descriptor, log_format, log_level, preloaded, *modules = arguments
    logs.configure(log_format, log_level)
    for module in (*filter(None, preloaded.split(",")), *modules):
        try:
            importlib.import_module(module)
        except ImportError as error:
            event(log, logging.ERROR, "a module of handlers cannot be imported", module=module, error=str(error))
            return 1
    if modules and not REGISTRY.handlers:
        event(log, logging.ERROR, "no handler is registered: @trickle.job(queue) above a function", modules=modules)
        return 1
    with socket.socket(fileno=int(descriptor)) as requests, contextlib.suppress(ConnectionError):
        serve(requests)
    return 0


def serve(requests: socket.socket) -> None:
    """Fork whenever a socket comes, until the supervisor is gone."""
    # Ctrl-C reaches a whole group of processes; whoever is to end is told so over its socket.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for children: their sockets tell of their end
    gc.collect()
    gc.freeze()
    requests.sendall(wire.READY)
    while True:
        word, descriptors, _, _ = socket.recv_fds(requests, 1, 1)
        if not word:
            return
        for descriptor in descriptors:
            if os.fork() == 0:
                requests.close()
                with socket.socket(fileno=descriptor) as control:
                    code = hot.main(control)
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
            os.close(descriptor)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
