"""Canonical SQL in, relational algebra out.

PostgreSQL has bound the query (stars expanded, names qualified, casts explicit) and prints it back as a view;
`trickle.ivm.syntax` turns that text into trees through libpg_query, `scope` says which column a name stands for,
`read` and `blocks` build the algebra clause by clause, each in a file of its own; a subquery is read with what ties it
to the row outside. Scalar expressions stay PostgreSQL's own trees. What no rule covers raises `Unsupported`, and the
smallest block around it that reads no row outside stays text as well (`opaque`). Never imports delta or program.
"""
