-- Those of these stream tables that have something to do: one look for all of them. %(pgt_ids)s.
SELECT p.pgt_id FROM pgtrickle.pending(%(pgt_ids)s::bigint[]) AS p WHERE p.has_changes
