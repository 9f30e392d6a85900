"""The values that pass between the files of this package."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from trickle.ivm.algebra.relations import Block, Item, Rel
from trickle.ivm.facts import Facts
from trickle.ivm.lineage import Origin
from trickle.ivm.lookups import Lookup
from trickle.ivm.program.quote import ident

PROGRAMS = "pgtrickle_programs"
"""The schema of programs and of what they keep."""

OPERATION = "__pgt_op"
"""i insert, u update, d delete; x cannot be right; n cannot be had by addition."""
UNFOLDABLE = "n"
TUPLE = "__pgt_tid"
PARTITION = "__pgt_part"
ROW = "__pgt_row"
HUNDRED = "jsonb_array_elements('[1]') AS one"
"""One row, of which the planner believes that it is a hundred."""


@dataclass(frozen=True, slots=True)
class Target:
    """The stream table a program is written for."""

    pgt_id: int
    schema: str
    name: str
    immediate: bool = False
    """Kept by the transactions that write its sources, statement by statement."""
    append_only: bool = False
    """Rows of its sources are said to come and never to go."""
    partitioned: bool = False
    """Its rows lie in partitions, each of which numbers its rows for itself."""

    @property
    def table(self) -> str:
        """Quoted name of the storage table."""
        return ident(self.schema, self.name)

    @property
    def functions(self) -> tuple[str, str]:
        """Names of the program and of what it calls for large changes."""
        name = f"{'immediate' if self.immediate else 'refresh'}_{self.pgt_id}"
        return name, f"{name}_large"

    @property
    def places(self) -> tuple[str, ...]:
        """What the place of a stored row is called in the CTEs of a program."""
        return (TUPLE, PARTITION) if self.partitioned else (TUPLE,)

    def place_of(self, row: str) -> str:
        """Select the place of a stored row."""
        partition = f", {row}.tableoid AS {PARTITION}" if self.partitioned else ""
        return f"{row}.ctid AS {TUPLE}{partition}"

    def carried(self, rows: str) -> str:
        """Select the place that was found, from a CTE."""
        return ", ".join(f"{rows}.{place}" for place in self.places)

    @property
    def nowhere(self) -> str:
        """Select the place of a row that is not stored yet."""
        return "NULL::tid, NULL::oid" if self.partitioned else "NULL::tid"

    @property
    def met(self) -> str:
        """The condition under which a stored row `t` is the one that `n` was found as."""
        partition = f" AND t.tableoid = n.{PARTITION}" if self.partitioned else ""
        return f"t.ctid = n.{TUPLE}{partition}"


@dataclass(frozen=True, slots=True)
class Storage:
    """What is stored: the user's columns, then hidden ones, and how a stored row is found again."""

    outputs: tuple[str, ...]
    hidden: tuple[str, ...]
    query: str
    """SELECT that fills all of these columns."""
    index: tuple[str, ...]
    unique: bool = True
    lookups: tuple[str, ...] = ()
    """Columns by which the program meets stored rows besides; they have an index of their own."""
    certain: tuple[str, ...] = ()
    """Columns of the user's that identify a row and are never NULL: stream tables over this one may rely on it."""

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns in order."""
        return self.outputs + self.hidden


@dataclass(frozen=True, slots=True)
class Touched:
    """Which stored rows a change may touch: columns of one of the CTEs, all of them hashable."""

    cte: str
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class State:
    """A table of the program's own, which holds the rows of one part of the query."""

    number: int
    table: str
    """Quoted name."""
    storage: Storage
    columns: tuple[str, ...]
    """What the rest of the program calls its columns."""
    order: tuple[str, ...] = ()
    """Index columns, with directions, by which its first rows are found."""


@dataclass(frozen=True, slots=True)
class Apply:
    """The CTEs that end in `net`, and how its rows meet the stored ones."""

    storage: Storage
    ctes: tuple[tuple[str, str, str], ...]
    """Name, comment and body of each CTE, in order; the last one is `net`."""
    match: str
    """The ON condition of the MERGE, between `t` (stored) and `n` (net)."""
    updated: tuple[str, ...]
    """Columns an update sets; empty when rows are only inserted and deleted."""
    expected_deletions: str | None = None
    """How many rows must go, where `net` holds only those that were found."""
    algebra: Rel | None = None
    delta: Rel | None = None
    strategy: str = ""
    change: str = ""
    """The change of the rows before identical ones have cancelled, where that is what `net` is made of."""
    touched: Touched | None = None
    """The stored rows that it may change, where they can be named before it runs."""
    recomputes: bool = False
    """Reads the sources anew for some of these rows."""
    states: tuple[tuple[State, Apply | None], ...] = ()
    """The state tables it reads, each with how it is brought up to date; None where it cannot have changed."""


@dataclass(frozen=True, slots=True)
class Alone:
    """How changes of one source are applied while the others, in these buffers, have none."""

    apply: Apply
    others: tuple[int, ...]
    changed: int
    """Oid of the one that changes."""


@dataclass(frozen=True, slots=True)
class Appended:
    """How rows that came are inserted, while no row goes and the sources in the buffers `others` stand still."""

    apply: Apply
    others: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Designated:
    """The source whose writers may keep an IMMEDIATE stream table side by side, and how its change is applied."""

    buffer: int
    apply: Apply
    self_contained: bool
    """No table is read but the stream table itself."""


@dataclass(frozen=True, slots=True)
class Program:
    """A compiled stream table: everything to install, and how to explain it."""

    storage: Storage
    names: tuple[str, str]
    """Names of the two functions."""
    function: str
    """CREATE FUNCTION text of the differential or immediate refresh."""
    large_function: str
    """CREATE FUNCTION text of what it calls for large changes: the same statement, planned for them."""
    count_function: str
    """CREATE FUNCTION text of what counts the new changes, for AUTO to choose by."""
    sources: tuple[int, ...]
    """Oids of the captured relations that it reads."""
    captured: Mapping[int, tuple[int, ...]]
    """Column numbers it reads of each source's change buffer."""
    strategy: str
    algebra: str
    delta: str
    lineage: tuple[tuple[str, tuple[Origin, ...]], ...] = ()
    """From which stored columns each column of the user's is computed."""
    lookups: tuple[Lookup, ...] = ()
    """By which columns it looks into its sources while little has changed."""
    as_written: str | None = None
    """Another SELECT that fills the storage, with the user's query as it stands: to be used where it is cheaper."""
    determinised: bool = False
    """The stored query fixes an order that the user's leaves open."""
    states: tuple[State, ...] = ()
    """The tables it keeps beside the stream table."""
    appends: bool = False
    """Rows that came are inserted, without a look at stored ones, as long as none goes."""


@dataclass(frozen=True, slots=True)
class Root:
    """The top of a normalised query: what the user sees, as a block over its inputs."""

    facts: Facts
    block: Block
    names: tuple[str, ...]
    inner: bool = False
    """It is kept for the sake of another query, which may show every digit of its values."""

    @property
    def items(self) -> tuple[Item, ...]:
        """The user's columns."""
        return self.block.items
