-- These stream tables were due and had nothing to do. A row that a refresh holds is left alone: it says more.
UPDATE pgtrickle.pgt_stream_tables AS s
   SET last_refresh_at = greatest(s.last_refresh_at, now())
 WHERE s.pgt_id IN (SELECT t.pgt_id
                      FROM pgtrickle.pgt_stream_tables AS t
                     WHERE t.pgt_id = ANY (%(pgt_ids)s::bigint[])
                       FOR NO KEY UPDATE SKIP LOCKED)
