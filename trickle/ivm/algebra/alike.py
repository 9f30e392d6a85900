"""Are two relations the same but for the numbers of their columns?

A WITH query is read once for each place that uses it, with fresh numbers, so two of its readings differ in these alone.
"""

from __future__ import annotations

from dataclasses import fields

from trickle.ivm.algebra.relations import Aggregate, Call, Item, Rel
from trickle.ivm.algebra.scalars import Column, Scalar, reference, substitute

Shape = object
"""A nested tuple that compares by what it holds."""


def shape(rel: Rel) -> Shape:
    """What a relation computes, with its columns numbered in the order in which they come up."""
    return _shape(rel, {})


def _shape(found: object, places: dict[int, int]) -> Shape:
    match found:
        case Column(number):
            return _place(number, places)
        case Scalar():
            return substitute(found, {n: reference(_place(n, places)) for n in sorted(found.columns)}).text
        case Aggregate():
            parts = tuple(_shape(part, places) for part in (found.child, found.keys, found.calls))
            return (Aggregate, *parts, found.scalar, *((_place(n, places), type) for n, type in found.loose))
        case Rel() | Item() | Call():
            return (type(found), *(_shape(getattr(found, field.name), places) for field in fields(found)))
        case tuple():
            return tuple(_shape(part, places) for part in found)
        case _:
            return found


def _place(number: int, places: dict[int, int]) -> int:
    return places.setdefault(number, len(places))
