-- How many turns it took until nothing changed, and where each member stands then.
UPDATE pgtrickle.pgt_stream_tables AS s
   SET last_fixpoint_iterations = %(turns)s::int, fixpoint_frontier = f.own_xid || '/' || f.own_seq
  FROM pgtrickle.pgt_frontiers AS f
 WHERE f.pgt_id = s.pgt_id
   AND s.pgt_id = ANY (%(pgt_ids)s::bigint[])
   AND (s.last_fixpoint_iterations, s.fixpoint_frontier) IS DISTINCT FROM (%(turns)s::int, f.own_xid || '/' || f.own_seq)
