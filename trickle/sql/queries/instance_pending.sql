-- The stream tables that have something to take from their sources: one look for all of them.
SELECT p.pgt_id FROM pgtrickle.pending() AS p WHERE p.has_changes
