-- Tell the instances that these rows have changed without them, so that what reads them is due; `itself` as well where its
-- frontier was set back. Scheduled stream tables have no bell: whoever refreshes one tells. Where writers wake nobody the
-- instances look themselves.
CREATE FUNCTION pgtrickle._ring_readers(relid oid, itself boolean DEFAULT false) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $fn$
    SELECT pg_notify('pgtrickle_wake', 'due ' || string_agg(r.pgt_id::text, ' '))
    FROM (SELECT u.pgt_id, row_number() OVER (ORDER BY u.pgt_id) / 300 AS part
          FROM (SELECT d.pgt_id FROM pgtrickle.pgt_dependencies d WHERE d.source_relid = relid
                UNION SELECT s.pgt_id FROM pgtrickle.pgt_stream_tables s WHERE itself AND s.pgt_relid = relid) u) r
    WHERE CASE pgtrickle._setting('event_driven_wake', 'auto') WHEN 'auto' THEN current_setting('max_prepared_transactions') = '0'
               ELSE pgtrickle._setting('event_driven_wake', 'auto') IN ('on', 'true', 'yes', '1') END
    GROUP BY r.part
$fn$;
