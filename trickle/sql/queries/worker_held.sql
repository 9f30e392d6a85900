-- Those of a unit's members that are held back, and why; each notes it in its history.
SELECT h.pgt_id, h.reason
  FROM (SELECT s.pgt_id, pgtrickle._hold(s, pgtrickle._fused_changes(s)) AS reason
          FROM pgtrickle.pgt_stream_tables AS s
         WHERE s.pgt_id = ANY (%(pgt_ids)s) AND s.status IN ('INITIALIZING', 'ACTIVE') OFFSET 0) AS h
 WHERE h.reason IS NOT NULL
