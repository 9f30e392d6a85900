"""Random queries composed of every operator, to any depth, over random tables of a few types.

    kinds      the types of columns, and what can be said about a value of each
    made       a query with its columns, and the world it is drawn in
    schemas    random tables: keyed in every way or not at all, with NULLs, duplicates and skew
    conditions conditions: comparisons, and subqueries under AND, OR, NOT and CASE
    rows, joins, subqueries, groups, calls, windows, ordered, sets, lateral, recursive      the operators
    steps      all operators, and how they are put above each other
    story      a whole case as plain text: tables, rows, queries, changes; how it is played, and made smaller

Each operator takes queries whose columns have kinds and makes another such query of them, so that anything may stand
below anything. Results are functions of the rows alone: orders name all columns, and rows that still tie are the same.
"""
