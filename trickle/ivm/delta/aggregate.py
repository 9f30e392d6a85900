"""Inside a query, an aggregate is recomputed for the keys that its input's change touches:

    K       = the keys that occur in ΔC
    Δγ(C)   = γ(C|K)  −  γ(old C|K)          old C|K = C|K ⊎ −ΔC

Legal because γ is a function of each key's bag of rows. The old bag is rebuilt from the new one, in place: only the
touched keys are read, through whatever index serves them, and no state is kept. A scalar aggregate has no key: all of
it is computed, in both states, but only when its input has changed at all.
"""

from __future__ import annotations

from trickle.ivm.algebra.numbering import Numbering
from trickle.ivm.algebra.properties import not_null_columns
from trickle.ivm.algebra.relations import Aggregate, Block, Item, Rel, Shared, UnionAll, copy_of
from trickle.ivm.algebra.scalars import Column, expression
from trickle.ivm.delta.before import before
from trickle.ivm.delta.derivative import Delta, derive, rule, shared
from trickle.ivm.delta.restrict import Restriction, restrict


@rule.register
def _(rel: Aggregate, numbering: Numbering) -> Delta | None:
    change = derive(rel.child, numbering)
    if change is None:
        return None
    change = shared(change, "change_grouped", "the change of what is grouped")
    now = rel.child if rel.scalar else _touched_rows(rel, change, numbering)
    now = Shared("rows_now", "the touched groups' rows as they are now", now)
    then = before(now, change, numbering)
    weight = numbering.column("__pgt_w")
    anything = Block((change.rel,), (), ())
    arms = tuple(
        Block((Aggregate(rows, rel.keys, rel.calls, rel.scalar),), (), _outputs(rel, weight, sign), anything)
        for rows, sign in ((now, "1"), (then, "-1"))
    )
    return Delta(UnionAll(arms, (*rel.columns, weight)), weight)


def _outputs(rel: Aggregate, weight: Column, sign: str) -> tuple[Item, ...]:
    return (*(copy_of(column) for column in rel.columns), Item(weight, expression(sign)))


def _touched_rows(rel: Aggregate, change: Delta, numbering: Numbering) -> Rel:
    """C|K."""
    certain = not_null_columns(rel.child)
    wanted = [Item(numbering.like(key.column), key.value) for key in rel.keys]
    touched = Shared("touched_keys", "the keys that occur in the change", Aggregate(change.rel, tuple(wanted), ()))
    keys = [
        Restriction(key.value, w.column, key.value.column not in certain)
        for key, w in zip(rel.keys, wanted, strict=True)
    ]
    return restrict(rel.child, keys, touched)
