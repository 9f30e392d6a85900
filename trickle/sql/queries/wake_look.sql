-- Those of these stream tables whose sources have captured changes for them. %(pgt_ids)s.
SELECT f.pgt_id
  FROM pgtrickle.pgt_frontiers AS f
 WHERE f.pgt_id = ANY (%(pgt_ids)s::bigint[])
   AND f.snapshot IS NOT NULL
   AND pgtrickle._has_captured(f)
