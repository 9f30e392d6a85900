"""The pipeline: canonical SQL and facts in, a program out."""

from __future__ import annotations

from trickle.errors import Ours, Unmaintainable, Unsupported
from trickle.ivm.algebra.numbering import Numbering
from trickle.ivm.algebra.passes import fuse_blocks, hoist_factors, plain_tests, push_filters
from trickle.ivm.algebra.passes.fuse_blocks import as_block
from trickle.ivm.algebra.relations import Rel
from trickle.ivm.copies import through_copies
from trickle.ivm.facts import Facts
from trickle.ivm.program.parts import Program, Root, Target
from trickle.ivm.program.plan import plan
from trickle.ivm.query.read import read, read_whole
from trickle.ivm.query.reading import Named
from trickle.ivm.stability import unstable_functions


def compile_query(facts: Facts, target: Target) -> Program:
    """Compile a defining query.

    Args:
        facts: what the server says of the query and of everything it reads.
        target: the stream table the program will keep.

    Raises:
        Unsupported: no program can follow the query; `reason` says why. The table is refreshed in full.
        MissingFacts: ask the server for these types, add them to the facts, call again.
    """
    unstable = unstable_functions(facts.functions)
    if unstable:
        raise Unmaintainable(f"{unstable[0]} may change without a change of data")
    facts = through_copies(facts)
    numbering = Numbering(own=target.immediate)
    try:
        return _compiled(facts, target, numbering, *read(facts, numbering))
    except Unmaintainable:
        raise
    except Unsupported as refused:
        return _compiled(facts, target, numbering, *read_whole(facts, numbering, refused.reason))


def _compiled(facts: Facts, target: Target, numbering: Numbering, rel: Rel, columns: Named) -> Program:
    if len(columns) != len(facts.output):
        raise Ours(f"the query was read with {len(columns)} columns; it has {len(facts.output)}")
    root = Root(
        facts,
        as_block(plain_tests(push_filters(hoist_factors(fuse_blocks(rel))))),
        tuple(column.name for column in facts.output),
    )
    return plan(root, target, numbering)
