"""Algebra in, one PL/pgSQL function out.

`plan` chooses how the root is kept (folded or recomputed groups, rows found by key or hash, a recursion walked on);
each of those files writes the CTEs that end in `net`, the rows to insert, update and delete; `function` puts the
frontier, the checks and the one statement around them, or `immediate` the locks of `locking`, where the program runs
inside the transactions that write; `select` is the only renderer of algebra and `quote` the
only quoting. Nothing here talks to a server.
"""
