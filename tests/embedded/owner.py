"""A program that owns a throw-away server: prints it, then waits to be killed.

With the argument `thread` the server is started from another thread than the main one.
"""

from __future__ import annotations

import json
import sys
import threading
import time

from trickle import embedded


def own() -> None:
    settings: dict[str, embedded.Setting] = {"fsync": False, "shared_buffers": "8MB", "max_connections": 10}
    with embedded.temporary(settings=settings) as server:
        print(json.dumps({"pid": server.pid, "data_dir": str(server.data_dir)}), flush=True)
        time.sleep(120)


if sys.argv[1:] == ["thread"]:
    starter = threading.Thread(target=own)
    starter.start()
    starter.join()
else:
    own()
