"""Roots whose rows are the joined rows of their inputs: found again by key, or by hash.

By key: the keys of the inputs, not NULL, identify a stored row; a −1 and a +1 of the same key are one UPDATE.
By hash: without a key, equal rows may stand several times. A hidden hash of the row finds the candidates, equality
decides, and exactly as many copies go as the delta takes away.

Whole: where every row's place among all others counts (the first ten, a rank), any change may move every row; where
the query has no rule, nothing is known. Then the change is what the query says now without what is stored, and nothing
is computed in its old state.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from trickle.errors import Unsupported
from trickle.ivm.algebra.numbering import Numbering
from trickle.ivm.algebra.opaque import Opaque
from trickle.ivm.algebra.passes import prune_columns
from trickle.ivm.algebra.properties import not_null_columns, origins, row_key
from trickle.ivm.algebra.relations import Aggregate, Block, Item, Rel
from trickle.ivm.algebra.scalars import Scalar, expression, reference
from trickle.ivm.algebra.walk import source_of
from trickle.ivm.algebra.windows import Window
from trickle.ivm.delta import derive
from trickle.ivm.delta.opaque import any_of
from trickle.ivm.facts import ColumnFacts
from trickle.ivm.program.changes import copies, net_rows
from trickle.ivm.program.layout import indented
from trickle.ivm.program.parts import OPERATION, Apply, Root, Storage, Target, Touched
from trickle.ivm.program.quote import ident
from trickle.ivm.program.select import Renderer

WEIGHT = "__pgt_w"
HASH = "__pgt_hash"


def usable_key(root: Root) -> tuple[int, ...] | None:
    """Input columns of known types that identify a row of the root and are never NULL, or None."""
    key = row_key(root.block)
    if not key:
        return None
    certain = frozenset().union(*(not_null_columns(i) for i in root.block.inputs))
    typed = {*_input_facts(root), *(item.value.column for item in root.items)}
    return tuple(sorted(key)) if key <= certain and key <= typed else None


def by_key(root: Root, key: Sequence[int], numbering: Numbering) -> Apply:
    """Keep the rows of `root` by their key."""
    outputs = {item.value.column: name for item, name in zip(root.items, root.names, strict=True)}
    hidden = [number for number in key if number not in outputs]
    extra = tuple(Item(numbering.column("key"), reference(number)) for number in hidden)
    hidden_names = tuple(f"__pgt_key_{i + 1}" for i in range(len(hidden)))
    key_names = [outputs.get(n) or hidden_names[hidden.index(n)] for n in key]
    facts = _input_facts(root)
    typed = (*root.facts.output, *(facts[number] for number in hidden))
    apply, _, names = _prepare(root, extra, hidden_names, tuple(key_names), numbering)
    rows = [(f"d.{ident(name)}", name, column) for name, column in zip(names, typed, strict=True)]
    keys = [ident(name) for name in key_names]
    columns = ", ".join(f"x.{ident(name)}" for name in names)
    net = (
        f"SELECT CASE WHEN x.__pgt_rows = 1 AND x.{WEIGHT} = 1 THEN 'i'"
        f" WHEN x.__pgt_rows = 1 AND x.{WEIGHT} = -1 THEN 'd'"
        f" WHEN x.__pgt_rows = 2 AND x.__pgt_sum = 0 AND x.{WEIGHT} = 1 THEN 'u'"
        f" ELSE 'x' END AS {OPERATION}, {columns}\n"
        f"FROM (SELECT n.*, count(*) OVER same AS __pgt_rows, sum(n.{WEIGHT}) OVER same AS __pgt_sum\n"
        f"      FROM net_rows n WINDOW same AS (PARTITION BY {', '.join(f'n.{k}' for k in keys)})) x\n"
        f"WHERE NOT (x.__pgt_rows = 2 AND x.__pgt_sum = 0 AND x.{WEIGHT} = -1)"
    )
    identical = {name for name, column in zip(names, typed, strict=True) if column.equal_is_identical}
    return replace(
        apply,
        ctes=(
            *apply.ctes[:-1],
            (
                "net_rows",
                "what remains of the change when identical rows have cancelled",
                _netted(apply, rows),
            ),
            ("net", "a −1 and a +1 of one key are an update; a key changed twice over cannot be right", net),
        ),
        match=" AND ".join(f"t.{k} = n.{k}" for k in keys),
        updated=tuple(n for n in names if n not in key_names or n not in identical),
        strategy=f"rows by key ({', '.join(key_names)})",
        touched=Touched("net_rows", ()),
    )


def places_all_rows(root: Root) -> bool:
    """Is the root computed whole anyway, or does it place all rows of its input, so that one change may move each?"""
    return len(root.block.inputs) == 1 and _places_all(root.block.inputs[0])


def counts_anew(root: Root) -> bool:
    """Does a state table hold each row once that a block without a rule returns, beside how often it returns it?"""
    rel = source_of(root.block)
    return root.inner and isinstance(rel, Aggregate) and isinstance(source_of(rel.child), Opaque)


def _places_all(rel: Rel) -> bool:
    if isinstance(rel, Block):
        return len(rel.inputs) == 1 and _places_all(rel.inputs[0])
    return isinstance(rel, Opaque) or (isinstance(rel, Window) and (not rel.keys or _places_all(rel.child)))


def by_hash(root: Root, target: Target, numbering: Numbering, *, whole: bool = False) -> Apply:
    """Keep the rows of `root` as a bag, found by a hidden hash; `whole`, by what is stored and should be."""
    apply, block = hashed(root, numbering)
    if whole:
        names = apply.storage.columns
        stored = f"SELECT {', '.join(ident(name) for name in names)}, -1 AS {WEIGHT} FROM {target.table}"
        renderer = Renderer(from_states=True)
        where = _where_changed(root, renderer, numbering)
        now = f"SELECT q.*, 1 AS {WEIGHT} FROM (\n{indented(renderer.select(block, names))}\n) q{where}"
        ctes = (
            *((c.name, c.comment, c.body) for c in renderer.ctes),
            ("change", "", f"{now}\nUNION ALL\n{stored}{where}"),
        )
        apply = replace(apply, ctes=ctes, delta=block)
        return found_by_hash(root, target, apply, "rows by hash, computed anew")
    found = found_by_hash(root, target, apply, "rows by hash")
    return replace(found, touched=Touched("net_rows", (HASH,)), recomputes=False)


def _where_changed(root: Root, renderer: Renderer, numbering: Numbering) -> str:
    """Without a rule, nothing is computed where nothing that it reads has changed: other parts of a query may have."""
    rel = source_of(root.block)
    rel = source_of(rel.child) if isinstance(rel, Aggregate) else rel
    if not isinstance(rel, Opaque):
        return ""
    changes = [change for i in rel.inputs if (change := derive(i, numbering)) is not None]
    return f"\nWHERE EXISTS (\n{indented(renderer.select(any_of(changes)))}\n)"


def hashed(root: Root, numbering: Numbering) -> tuple[Apply, Rel]:
    """The change of a root whose rows have a hidden hash, and what it shows; the last CTE is still to be netted."""
    values = [item.value for item, facts in zip(root.items, root.facts.output, strict=True) if facts.hashable]
    extra = (Item(numbering.column("hash"), hash_of(values)),)
    apply, block, _ = _prepare(root, extra, (HASH,), (HASH,), numbering)
    return apply, block


def found_by_hash(root: Root, target: Target, apply: Apply, strategy: str) -> Apply:
    """Net the change and find the stored copies that it takes away."""
    names = apply.storage.columns
    hash_facts = ColumnFacts(0, HASH, "bigint", "bigint", not_null=True)
    typed = (*root.facts.output, hash_facts)
    rows = [(f"d.{ident(name)}", name, column) for name, column in zip(names, typed, strict=True)]
    same = " AND ".join(_same(ident(c.name), c) for c in root.facts.output)
    columns = ", ".join(ident(name) for name in names)
    gone = (
        f"SELECT {target.carried('x')}, {', '.join(f'x.{ident(n)}' for n in names)}\nFROM (\n"
        f"  SELECT {target.place_of('t')}, n.*,"
        f" row_number() OVER (PARTITION BY n.__pgt_row) AS __pgt_copy\n"
        f"  FROM (SELECT row_number() OVER () AS __pgt_row, * FROM net_rows WHERE {WEIGHT} < 0) n\n"
        f"  JOIN {target.table} t ON t.{HASH} = n.{HASH}{' AND ' + same if same else ''}\n"
        f") x\nWHERE x.__pgt_copy <= -x.{WEIGHT}"
    )
    net = (
        f"SELECT 'd' AS {OPERATION}, {', '.join(target.places)}, {columns} FROM gone\nUNION ALL\n"
        f"SELECT 'i', {target.nowhere}, {columns} FROM net_rows, {copies(WEIGHT)} WHERE {WEIGHT} > 0"
    )
    return replace(
        apply,
        ctes=(
            *apply.ctes[:-1],
            (
                "net_rows",
                "what remains of the change when identical rows have cancelled",
                _netted(apply, rows),
            ),
            ("gone", "as many stored copies of each row as the change takes away", gone),
            ("net", "rows to delete, and each row to insert as often as its weight says", net),
        ),
        match=target.met,
        updated=(),
        expected_deletions=f"(SELECT coalesce(sum(-{WEIGHT}), 0) FROM net_rows WHERE {WEIGHT} < 0)",
        strategy=strategy,
        recomputes=True,
    )


def _prepare(
    root: Root,
    extra: tuple[Item, ...],
    hidden: tuple[str, ...],
    index: tuple[str, ...],
    numbering: Numbering,
) -> tuple[Apply, Rel, tuple[str, ...]]:
    """Derive the root with its hidden columns; the last CTE holds the raw change, still to be netted."""
    block = prune_columns(Block(root.block.inputs, root.block.predicates, (*root.items, *extra)))
    names = root.names + hidden
    delta = derive(block, numbering)
    if delta is None:
        raise Unsupported("nothing this query reads can change")
    renderer = Renderer(from_states=True)
    change = renderer.select(delta.rel, (*names, WEIGHT))
    storage = Storage(
        root.names,
        hidden,
        Renderer().select(block, names),
        index,
        unique=hidden != (HASH,),
        certain=tuple(name for name in index if name in root.names),
    )
    ctes = tuple((c.name, c.comment, c.body) for c in renderer.ctes)
    apply = Apply(storage, (*ctes, ("change", "", change)), "", (), change=change, algebra=block, delta=delta.rel)
    return apply, block, names


def _netted(apply: Apply, rows: Sequence[tuple[str, str, ColumnFacts]]) -> str:
    change = indented(apply.ctes[-1][2])
    return net_rows(rows, f"d.{WEIGHT}", WEIGHT, f"(\n{change}\n) d")


def _input_facts(root: Root) -> dict[int, ColumnFacts]:
    facts: dict[int, ColumnFacts] = {}
    for rel in root.block.inputs:
        facts |= origins(rel)
    return facts


def hash_of(values: Sequence[Scalar]) -> Scalar:
    """Hash of the row's hashable columns; equal rows hash alike, whatever their spelling."""
    if not values:
        return expression("0::bigint")
    names = {f"a{i}": value for i, value in enumerate(values)}
    return expression(f"hash_record_extended(ROW({', '.join(names)}), 0)", **names)


def _same(name: str, facts: ColumnFacts) -> str:
    if facts.comparable and facts.equal_is_identical:
        return f"t.{name} IS NOT DISTINCT FROM n.{name}"
    return f"t.{name}::text IS NOT DISTINCT FROM n.{name}::text"
