"""Publish at a steady rate, each message in a transaction of its own: URL RATE SECONDS FILE-FOR-TIMES."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import psycopg


def main(url: str, rate: float, seconds: float) -> list[float]:
    """Milliseconds that each call and its commit took."""
    taken: list[float] = []
    text = "x" * 950
    with psycopg.connect(url, autocommit=True) as conn:
        began = time.perf_counter()
        for number in range(int(rate * seconds)):
            time.sleep(max(0.0, began + number / rate - time.perf_counter()))
            payload = json.dumps({"n": number, "at": time.time(), "text": text})
            start = time.perf_counter()
            conn.execute("SELECT pgtrickle.publish('bench', %s, %s::jsonb)", (str(number % 100), payload))
            taken.append((time.perf_counter() - start) * 1000)
    return taken


if __name__ == "__main__":
    times = main(sys.argv[1], float(sys.argv[2]), float(sys.argv[3]))
    Path(sys.argv[4]).write_text(json.dumps(times), encoding="ascii")
