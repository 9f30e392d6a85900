-- Of every stream table: its captured sources, with the bell of each whose writers ring for it, and whether nothing
-- else can give it something to do. Scheduled stream tables do not ring: whoever refreshes one tells those who read it.
SELECT s.pgt_id,
       coalesce(array_agg(d.source_id) FILTER (WHERE d.source_id IS NOT NULL), '{}'),
       coalesce(array_agg(CASE WHEN u.pgt_id IS NULL OR u.refresh_mode = 'IMMEDIATE' THEN pgtrickle._bell(d.source_id) END)
                    FILTER (WHERE d.source_id IS NOT NULL), '{}'),
       s.refresh_mode <> 'IMMEDIATE'
           AND coalesce(bool_and(d.cdc_mode <> 'POLL'), true)
           AND (s.query_volatility = 'i' OR s.program_state = 'compiled')
  FROM pgtrickle.pgt_stream_tables AS s
  LEFT JOIN pgtrickle.pgt_dependencies AS d USING (pgt_id)
  LEFT JOIN pgtrickle.pgt_stream_tables AS u ON u.pgt_relid = d.source_relid
 GROUP BY s.pgt_id
