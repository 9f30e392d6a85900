"""Polled sources are read through their copies: the names in FROM change, in the text of the query and of every view.

A foreign table or a materialized view fires no triggers. A copy of it that each refresh brings up to date does; and
only the copy says what it held when the changes were found. Names are replaced where the parser says they stand: all
else stays as PostgreSQL has printed it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

import postgast
from postgast import pg_query_pb2 as pb

from trickle.errors import Unmaintainable
from trickle.ivm.facts import Facts, RelationFacts
from trickle.ivm.program.quote import ident
from trickle.ivm.syntax import nodes

CHANGES = "pgtrickle_changes"
_NAME = re.compile(rb"""(?:"(?:[^"]|"")*"|[^\s."(),;]+)(?:\s*\.\s*(?:"(?:[^"]|"")*"|[^\s."(),;]+))?""")


def through_copies(facts: Facts) -> Facts:
    """The same facts, in which the query and its views read the copies of polled sources.

    Raises:
        Unmaintainable: something is asked of a polled source that its copy cannot tell.
    """
    copied = {(r.schema, r.name): r for r in facts.relations if r.copied_to is not None}
    if not copied:
        return facts
    return replace(
        facts,
        query=_renamed(facts.query, copied),
        relations=tuple(
            _copy(r) if r.copied_to else replace(r, view_sql=_renamed(r.view_sql, copied)) if r.view_sql else r
            for r in facts.relations
        ),
    )


def _copy(relation: RelationFacts) -> RelationFacts:
    return replace(
        relation,
        schema=CHANGES,
        name=relation.copied_to or relation.name,
        copied_to=None,
        has_children=False,
        stands_for=(relation.schema, relation.name),
    )


def _renamed(text: str, copied: dict[tuple[str, str], RelationFacts]) -> str:
    everything = list(nodes(postgast.parse(text)))
    found = [n.range_var for n in everything if n.WhichOneof("node") == "range_var"]
    tables = [r for r in found if (r.schemaname, r.relname) in copied]
    _refuse(everything, tables)
    encoded = text.encode()
    for table in sorted(tables, key=lambda r: r.location, reverse=True):
        name = _NAME.match(encoded, table.location)
        if name is None:
            raise Unmaintainable(f"{table.schemaname}.{table.relname} is polled, and was not found in the query")
        alias = "" if table.alias.aliasname else f" AS {ident(table.relname)}"
        target = ident(CHANGES, copied[table.schemaname, table.relname].copied_to or "") + alias
        encoded = encoded[: name.start()] + target.encode() + encoded[name.end() :]
    return encoded.decode()


def _refuse(everything: Iterable[pb.Node], tables: Iterable[pb.RangeVar]) -> None:
    """A copy has rows of another type, in another table, and those of all children."""
    aliases = {t.alias.aliasname or t.relname: f"{t.schemaname}.{t.relname}" for t in tables}
    for table in tables:
        if not table.inh:
            raise Unmaintainable(
                f"ONLY {table.schemaname}.{table.relname} cannot be told from its copy, which is polled"
            )
    for node in everything:
        if node.WhichOneof("node") != "column_ref" or len(node.column_ref.fields) < 2:
            continue
        last, owner = node.column_ref.fields[-1], node.column_ref.fields[-2].string.sval
        if owner in aliases and last.WhichOneof("node") == "a_star":
            raise Unmaintainable(f"whole rows of {aliases[owner]}, which is polled, are of another type in its copy")
        if owner in aliases and last.string.sval == "tableoid":
            raise Unmaintainable(f"tableoid of {aliases[owner]}, which is polled, is not known to its copy")
