"""Why a program keeps its stream table as it does, in sentences for `explain`: what is added up, what is recomputed."""

from __future__ import annotations

_ADDED = "a group's new values are its stored ones and the change: the group itself is not read again"
_REASONS = {
    "folded groups": (_ADDED,),
    "folded groups with recomputed groups": (
        _ADDED,
        "a value that cannot be had by adding (an extreme that went away, an aggregate with an order or DISTINCT) "
        "makes its group be computed anew from the sources",
    ),
    "recomputed groups": (
        "HAVING hides groups, which then keep no state: each touched group is computed anew from the sources",
    ),
    "rows by hash": ("no columns that are never NULL identify a row: it is found again by a hash of all its columns",),
    "rows by hash, computed anew": (
        "each row's place among all others counts (LIMIT, a rank over all rows), so one change may move every row: "
        "the query is computed anew and what differs is written",
    ),
    "rows by hash, walked from what has changed": (
        "a recursion is followed from the rows that changed: what they led to goes, what they lead to comes",
    ),
    "rows by hash, derived again from what has changed": (
        "a recursion is followed from the rows that changed: what may have lost its last derivation goes, what still "
        "follows from the rest comes back, and what is new comes; where very much may have lost it, as in a large "
        "circle, the query is computed anew and what differs is written",
    ),
}
_BY_KEY = "the keys of the joined rows identify a row: only changed rows are found and written"
_KEPT = (
    "what stands below the place where all rows are looked at together is kept in tables of the program's own, "
    "so it is not computed again: only what the change touches is read"
)
_COMPLETED = "the query leaves an order open; the stored one completes it, so that equal rows give equal results"


def because(strategy: str, *, determinised: bool, states: int) -> tuple[str, ...]:
    """The sentences for a strategy of `plan`, over so many state tables."""
    reasons = (_BY_KEY,) if strategy.startswith("rows by key") else _REASONS[strategy]
    kept = (_KEPT,) if states else ()
    return (*reasons, *kept, *((_COMPLETED,) if determinised else ()))
