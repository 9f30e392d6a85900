-- Remove at most one batch of changes that every consumer of the source has seen.
SELECT pgtrickle._prune(%(source_id)s::int, %(batch_rows)s::int)
