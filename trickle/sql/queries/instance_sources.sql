-- How much was ever written to each change buffer, and whether it is still to get its first VACUUM.
-- Counters of the statistics system cost little to read; they may lag by a second, which a pruner does not mind.
-- %(source_ids)s: NULL for all.
SELECT t.source_id,
       pg_stat_get_tuples_inserted(c.oid)
           + (SELECT count(*) FROM pgtrickle_changes.markers AS m WHERE m.source_id = t.source_id) AS written,
       c.reltuples < 0 AS is_new
  FROM pgtrickle.pgt_change_tracking AS t
  JOIN pg_catalog.pg_class AS c
    ON c.relnamespace = 'pgtrickle_changes'::regnamespace
   AND c.relname = 'changes_' || t.source_id
 WHERE %(source_ids)s::int[] IS NULL OR t.source_id = ANY (%(source_ids)s::int[])
