-- Those of these stream tables that are altered, or whose sources are. %(pgt_ids)s.
SELECT p.pgt_id FROM pgtrickle.pending(%(pgt_ids)s::bigint[], false) AS p WHERE p.has_changes
