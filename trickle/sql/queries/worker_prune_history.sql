-- Remove one batch of the oldest history, where it is older or longer than it may be.
SELECT pgtrickle._prune_history(%(batch_rows)s::int)
