"""Which STABLE functions may stand in a maintained query?

IMMUTABLE always may, VOLATILE never. STABLE covers two different things: functions that depend on session settings
only (date_trunc on a timestamptz, to_char, casts to text), which mean the same for ever once those settings are
pinned on the program, and functions that read the clock, the session or tables, whose value changes although no data
did. PostgreSQL does not tell them apart, so the first kind is listed; everything else counts as the second.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from trickle.ivm.facts import FunctionFacts

SETTINGS_ONLY = frozenset(
    {
        "anytextcat", "array_agg", "array_in", "array_out", "array_to_json", "array_to_string", "concat", "concat_ws",
        "date_bin", "date_part", "date_trunc", "extract", "format", "generate_series", "in_range", "json_agg",
        "json_agg_strict", "json_build_array", "json_build_object", "json_object_agg", "json_object_agg_strict",
        "json_object_agg_unique", "json_object_agg_unique_strict", "json_populate_record", "json_populate_recordset",
        "json_to_record", "json_to_recordset", "jsonb_agg", "jsonb_agg_strict", "jsonb_build_array",
        "jsonb_build_object", "jsonb_object_agg", "jsonb_object_agg_strict", "jsonb_object_agg_unique",
        "jsonb_object_agg_unique_strict", "jsonb_path_exists_tz", "jsonb_path_match_tz", "jsonb_path_query_array_tz",
        "jsonb_path_query_first_tz", "jsonb_path_query_tz", "jsonb_populate_record", "jsonb_populate_record_valid",
        "jsonb_populate_recordset", "jsonb_to_record", "jsonb_to_recordset", "make_timestamptz", "multirange_in",
        "multirange_out", "overlaps", "quote_literal", "quote_nullable", "range_in", "range_out", "record_in",
        "record_out", "row_to_json", "textanycat", "timezone", "to_char", "to_date", "to_json", "to_jsonb", "to_number",
        "to_timestamp", "xml", "xml_in", "xml_is_well_formed",
    }
)  # fmt: skip
TEMPORAL = re.compile(r"^(timestamp|timestamptz|date|time|timetz|interval)(_\w+)?$")
AGGREGATE_PARTS = re.compile(r"^(json|jsonb|array)\w*_agg\w*(_transfn|_finalfn)\w*$")


def is_settled(function: FunctionFacts) -> bool:
    """Does the function always give the same answer to the same arguments, once session settings are pinned?"""
    if function.volatility == "i":
        return True
    if function.volatility == "v" or function.schema not in ("pg_catalog", ""):
        return False
    name = function.name
    if name.startswith("cast of "):
        return True
    return name in SETTINGS_ONLY or bool(TEMPORAL.match(name)) or bool(AGGREGATE_PARTS.match(name))


def unstable_functions(functions: Iterable[FunctionFacts]) -> tuple[str, ...]:
    """Names of what keeps a query from being maintained: its value changes without a change of data."""
    return tuple(f"{f.name}()" if f.schema else f.name for f in functions if not is_settled(f))
