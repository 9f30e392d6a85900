"""What one SELECT reads, as it is put together piece by piece."""

from __future__ import annotations

from dataclasses import dataclass, field

from trickle.ivm.algebra.scalars import Scalar, render, substitute


@dataclass(slots=True)
class Source:
    """What one SELECT reads: tables, conditions, how base columns are called, and other columns as expressions.

    A stand-in is a name in these texts that an expression has to be put in the place of, at the end.
    """

    tables: list[str]
    conditions: list[str]
    columns: dict[int, tuple[str, ...]]
    values: dict[int, Scalar]
    stand_ins: dict[str, str] = field(default_factory=dict)

    def text(self, value: Scalar) -> str:
        """Print an expression over the columns of the source."""
        return render(substitute(value, self.values), self.columns.__getitem__)

    def finished(self, text: str) -> str:
        """Put the expressions in the place of their stand-ins; a later one may hold earlier ones."""
        for name, expression in reversed(self.stand_ins.items()):
            text = text.replace(name, expression)
        return text
