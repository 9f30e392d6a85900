"""What every program is put into: names, settings, the two forms of its statement, the last check.

Plans are generic, so a session plans each program once. A plan is good for one size of change only, so a statement
stands twice: in the program itself, with costs for small changes (with PostgreSQL's own the planner would answer them
by scanning whole tables), and in a function that it calls for large changes, with PostgreSQL's costs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from trickle.ivm.facts import RelationFacts
from trickle.ivm.program.changes import NONE, few, many
from trickle.ivm.program.layout import dollar_tag, indented
from trickle.ivm.program.parts import PROGRAMS, Target
from trickle.ivm.program.quote import ident, literal

LARGE_ROWS = 2_000
LARGE_SHARE = 200
"""A change counts as large when it has more captured rows than the first, and than the largest source has rows by the
second: about where PostgreSQL's own costs plan better. A few thousand rows of millions are best followed by index."""


def program_name(target: Target) -> str:
    """Qualified name of the program of a stream table."""
    return ident(PROGRAMS, target.functions[0])


def large_name(target: Target) -> str:
    """Qualified name of the function that the program calls for large changes."""
    return ident(PROGRAMS, target.functions[1])


def large_from(sources: Sequence[RelationFacts]) -> int:
    """Captured rows above which a change counts as large."""
    return max(LARGE_ROWS, *(int(source.rows) // LARGE_SHARE for source in sources))


def create_program(target: Target, arguments: str, body: str, settings: Mapping[str, str]) -> str:
    """Write the CREATE FUNCTION statement of a program, which runs with the rights of the stream table's owner."""
    return (
        f"CREATE OR REPLACE FUNCTION {program_name(target)}({arguments}) RETURNS pgtrickle.refresh_outcome\n"
        f"LANGUAGE plpgsql SECURITY DEFINER\n{_pinned(settings)} SET random_page_cost = 1.1 SET enable_seqscan = on\n"
        f"AS {_quoted(few(body))}"
    )


def create_large(target: Target, arguments: str, declared: str, statement: str, settings: Mapping[str, str]) -> str:
    """Write the CREATE FUNCTION statement of what a program calls for large changes; it returns the rows written."""
    body = f"""#variable_conflict use_column
DECLARE{declared}
  {NONE} int := 0;
  __pgt_written bigint;
BEGIN
{indented(many(statement))}
  RETURN __pgt_written;
END
"""
    return (
        f"CREATE OR REPLACE FUNCTION {large_name(target)}({arguments}) RETURNS bigint\n"
        f"LANGUAGE plpgsql\n{_pinned(settings)} SET random_page_cost = 4\nAS {_quoted(body)}"
    )


LOOKS_DECLARED = """
  __pgt_looks text;
  __pgt_large boolean;"""


def looked_for(text: str) -> str:
    """These statements look for what is new in index order, whatever the planner thinks of it: planned over an empty
    buffer they would scan it, and go on to do so over the consumed rows of a full one."""
    return (
        "__pgt_looks := set_config('enable_seqscan', 'off', true);\n"
        f"{text}\n__pgt_looks := set_config('enable_seqscan', 'on', true);"
    )


def by_size(call: str, statement: str) -> str:
    """Run the statement here, or the same in the other function when the change is large."""
    return f"IF __pgt_large THEN\n  __pgt_written := {call};\nELSE\n{indented(statement)}\nEND IF;"


def either(general: str, alone: str | None) -> str:
    """The statement; where one source may have changed alone, the smaller one for that as well."""
    if alone is None:
        return f"{general}\n{_WRITTEN}"
    small, whole = (indented(f"{statement}\n{_WRITTEN}") for statement in (alone, general))
    return f"IF __pgt_alone THEN\n{small}\nELSE\n{whole}\nEND IF;"


_WRITTEN = "GET DIAGNOSTICS __pgt_written = ROW_COUNT;"


def permit(sources: Sequence[RelationFacts]) -> str:
    """Have the executor check the owner's right to every source, also where only buffers are read."""
    looks = ", ".join(f"(SELECT FROM {ident(*s.shown_as)} WHERE false) s{i}" for i, s in enumerate(sources))
    return f"PERFORM FROM {looks};"


def complain(target: Target, expected: tuple[str, str, str], faults: str) -> str:
    """Raise unless as many rows were written as the delta says: never silent drift."""
    message = f"stream table {target.schema}.{target.name} does not hold what its program believes"
    return f"""IF __pgt_written <> {" + ".join(expected)}{faults} THEN
  RAISE EXCEPTION USING ERRCODE = 'XX001', MESSAGE = {literal(message)},
    DETAIL = format('the change has %s insertions, %s updates and %s deletions; %s rows were written',
                    {", ".join(expected)}, __pgt_written),
    HINT = 'Nothing was changed. Refresh in full to repair it, and report this: it is a defect of Trickle.';
END IF;"""


def _pinned(settings: Mapping[str, str]) -> str:
    """What a program must not take from the session: how it is read and planned, how many digits tell floats apart."""
    own = "".join(f" SET {ident(name)} = {literal(value)}" for name, value in sorted(settings.items()))
    reading = "SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET array_nulls = on"
    return f"{reading} SET extra_float_digits = 1 SET jit = off SET plan_cache_mode = force_generic_plan{own}"


def _quoted(body: str) -> str:
    tag = dollar_tag(body)
    return f"{tag}\n{body}{tag}"
