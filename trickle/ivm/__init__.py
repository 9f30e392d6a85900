"""The compiler: a defining query in, the program that keeps its answer up to date out. Pure.

    canonical SQL + Facts ─▶ query ─▶ algebra ─▶ delta ─▶ program ─▶ Program
                             names     normal     Δ over    one SQL
                             resolved  form       leaves    function

Each arrow hands over one kind of value (`Rel`, `Rel` in normal form, `Delta`, `Program`), so a defect is found by
asking at which arrow the printed form first looks wrong. Imports the standard library, postgast and
trickle.errors only: no connection, no clock, no randomness; the same input gives the same text, byte for byte.
"""

from trickle.ivm.compile import compile_query
from trickle.ivm.facts import ColumnFacts, Facts, FunctionFacts, RelationFacts
from trickle.ivm.program.parts import Program, Target

COMPILER_VERSION = "11"
"""Changes whenever the same query would compile to another program: workers then compile anew."""

__all__ = [
    "COMPILER_VERSION",
    "ColumnFacts",
    "Facts",
    "FunctionFacts",
    "Program",
    "RelationFacts",
    "Target",
    "compile_query",
]
