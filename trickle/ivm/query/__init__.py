"""Canonical SQL in, relational algebra out.

PostgreSQL has bound the query (stars expanded, names qualified, casts explicit) and prints it back as a view;
`trickle.ivm.syntax` turns that text into trees through libpg_query, `scope` says which column a name stands for,
`read` and `grouping` build the algebra. Scalar expressions stay PostgreSQL's own trees. Never imports delta or program.
"""
