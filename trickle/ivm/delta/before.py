"""old C  =  C ⊎ −ΔC, as a bag: rows that cancel are gone, the others stand as often as they did.

The old state of a relation is rebuilt from the new one. Whoever asks for it restricts both to the few keys in question.
Rows cancel that are identical, not merely equal: 1.0 and 1.00 are equal and look different, so a column that is not
known to be free of this is told apart by its text as well. A column that may have no equality at all is told apart by
its text alone: then rows are counted by a window, which hands on one of the identical values.
"""

from __future__ import annotations

from trickle.ivm.algebra.numbering import Numbering
from trickle.ivm.algebra.passes.fuse_blocks import as_block
from trickle.ivm.algebra.properties import origins
from trickle.ivm.algebra.relations import Aggregate, Block, Call, Copies, Item, Rel, UnionAll, copy_of
from trickle.ivm.algebra.scalars import Column, expression, reference
from trickle.ivm.algebra.windows import Window
from trickle.ivm.delta.derivative import Delta


def before(now: Rel, change: Delta, numbering: Numbering) -> Rel:
    """Return the rows of `now` as they were before `change`, which has all its changes."""
    net, total = _added_up(now, change, numbering)
    return Copies(net, total)


def there_before(now: Rel, change: Delta, numbering: Numbering) -> Rel:
    """The same, with each row once, where it does not matter how often it stood."""
    net, total = _added_up(now, change, numbering)
    stood = expression("n > 0", n=reference(total))
    return Block((net,), (stood,), tuple(copy_of(column) for column in now.columns))


def _added_up(now: Rel, change: Delta, numbering: Numbering) -> tuple[Rel, Column]:
    """Each row of `now` or the change beside the number of times that it stood, and the column of that."""
    weight = numbering.column("__pgt_w")
    columns = now.columns
    one = Block((now,), (), (*(copy_of(c) for c in columns), Item(weight, expression("1"))))
    minus = expression("-w", w=reference(change.weight))
    undone = Block((change.rel,), (), (*(copy_of(c) for c in columns), Item(weight, minus)))
    rows = UnionAll((one, undone), (*columns, weight))
    facts = origins(now)
    if all(c.number in facts and facts[c.number].comparable for c in columns):
        images = {c.number for c in columns if not facts[c.number].equal_is_identical}
        return _grouped(rows, columns, images, weight, numbering)
    plain = {n for n, column in facts.items() if column.comparable and column.equal_is_identical}
    return _counted(rows, columns, plain, weight, numbering)


def _grouped(
    rows: Rel, columns: tuple[Column, ...], images: set[int], weight: Column, numbering: Numbering
) -> tuple[Rel, Column]:
    """Add up weights by all columns, and by the text of those in `images`."""
    total = numbering.column("__pgt_n")
    shown = tuple(copy_of(c) for c in columns)
    texts = tuple(
        Item(numbering.column("image"), expression("c::text", c=reference(c))) for c in columns if c.number in images
    )
    net: Rel = Aggregate(rows, (*shown, *texts), (Call(total, expression("sum(w)::int", w=reference(weight))),))
    return Block((net,), (), (*shown, copy_of(total))) if texts else net, total


def _counted(
    rows: Rel, columns: tuple[Column, ...], plain: set[int], weight: Column, numbering: Numbering
) -> tuple[Rel, Column]:
    """Add up weights over rows that agree in the `plain` columns and in the text of the others."""
    total, place = numbering.column("__pgt_n"), numbering.column("place")
    shown = tuple(copy_of(c) for c in columns)
    texts = {
        c.number: Item(numbering.column("image"), expression("c::text", c=reference(c)))
        for c in columns
        if c.number not in plain
    }
    keys = [texts[c.number].column if c.number in texts else c for c in columns]
    parts = {f"k{i}": reference(key) for i, key in enumerate(keys)}
    partition = f"PARTITION BY {', '.join(parts)}" if parts else ""
    calls = (
        Call(total, expression(f"sum(w) OVER ({partition})", w=reference(weight), **parts)),
        Call(place, expression(f"row_number() OVER ({partition})", **parts)),
    )
    imaged = Block((rows,), (), (*(copy_of(c) for c in rows.columns), *texts.values()))
    windowed = Window(imaged, tuple(Item(numbering.like(key), reference(key)) for key in keys), calls)
    first = expression("p = 1", p=reference(place))
    return Block(as_block(windowed).inputs, (first,), (*shown, copy_of(total))), total
