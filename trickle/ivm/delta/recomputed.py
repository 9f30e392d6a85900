"""An operator f that looks at whole groups is recomputed for the keys that its input's change touches:

    K       = the keys that occur in ΔC
    Δf(C)   = f(C|K)  −  f(old C|K)          old C|K = C|K ⊎ −ΔC

Legal because f is a function of each key's bag of rows. The old bag is rebuilt from the new one, in place: only the
touched keys are read, through whatever index serves them, and no state is kept. Without keys all of it is computed, in
both states, but only when its input has changed at all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from trickle.ivm.algebra.numbering import Numbering
from trickle.ivm.algebra.properties import not_null_columns
from trickle.ivm.algebra.relations import Aggregate, Block, Item, Rel, Shared, UnionAll, copy_of
from trickle.ivm.algebra.scalars import expression
from trickle.ivm.delta.before import before
from trickle.ivm.delta.derivative import Delta, derive, shared
from trickle.ivm.delta.kept import as_found
from trickle.ivm.delta.restrict import Restriction, restrict


def recomputed(
    rel: Rel,
    child: Rel,
    keys: Sequence[Item],
    over: Callable[[Rel], Rel],
    numbering: Numbering,
    asked_for: Callable[[Rel], Rel] | None = None,
) -> Delta | None:
    """Return the change of `rel`, which is `over(child)` and has `keys` of the child for its groups.

    Of the touched keys, `asked_for` returns those that matter.
    """
    change = derive(child, numbering)
    if change is None:
        return None
    change = shared(change, "change_grouped", "the change of what is grouped")
    now: Rel = Shared("rows_now", "the touched groups' rows as they are now", child)
    if keys:
        restrictions, touched = _touched(child, keys, change, numbering)
        if asked_for is not None:
            touched = asked_for(touched)
            change = Delta(restrict(change.rel, restrictions, touched, numbering), change.weight)
        rows = restrict(child, restrictions, touched, numbering)
        now = Shared("rows_now", "the touched groups' rows as they are now", rows)
    found = None if keys else as_found(child)
    then = found if found is not None else before(now, change, numbering)
    weight = numbering.column("__pgt_w")
    anything = Block((change.rel,), (), ())
    outputs = tuple(copy_of(column) for column in rel.columns)
    arms = tuple(
        Block((over(rows),), (), (*outputs, Item(weight, expression(sign))), anything)
        for rows, sign in ((now, "1"), (then, "-1"))
    )
    return Delta(UnionAll(arms, (*rel.columns, weight)), weight)


def _touched(child: Rel, keys: Sequence[Item], change: Delta, numbering: Numbering) -> tuple[list[Restriction], Rel]:
    """K, and how rows of the child meet it."""
    certain = not_null_columns(child)
    wanted = [Item(numbering.like(key.column), key.value) for key in keys]
    touched = Shared("touched_keys", "the keys that occur in the change", Aggregate(change.rel, tuple(wanted), ()))
    restrictions = [
        Restriction(key.value, w.column, key.value.column not in certain) for key, w in zip(keys, wanted, strict=True)
    ]
    return restrictions, touched
