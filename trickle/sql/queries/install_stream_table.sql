-- What an install has to know of a stream table; the row stays locked, so one compiler works on it at a time.
SELECT s.pgt_id, s.pgt_schema AS schema, s.pgt_name AS name, s.refresh_mode, s.is_append_only, s.session_settings AS settings,
       s.is_populated, s.program_explain ->> 'stored' AS stored_query, s.program_explain -> 'states' AS state_queries,
       to_regclass(format('pgtrickle_programs.query_%%s', s.pgt_id))::oid::int8 AS view,
       s.pgt_relid::int8 AS storage,
       EXISTS (SELECT FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
               WHERE i.indrelid = s.pgt_relid AND x.relname = format('__pgt_key_%%s', s.pgt_id)) AS is_indexed,
       ARRAY(SELECT a.attname::text FROM pg_partitioned_table p
             JOIN pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = ANY (p.partattrs::int2[])
             WHERE p.partrelid = s.pgt_relid ORDER BY a.attnum) AS partition_columns,
       pg_get_userbyid(c.relowner) AS owner,
       -- Whether it is somebody else's for whom we may act.
       pg_get_userbyid(c.relowner) <> current_user
           AND CASE WHEN current_setting('server_version_num')::int >= 160000 THEN pg_has_role(c.relowner, 'SET')
                    ELSE pg_has_role(c.relowner, 'MEMBER') END AS is_anothers
FROM pgtrickle.pgt_stream_tables s JOIN pg_class c ON c.oid = s.pgt_relid
WHERE s.pgt_id = %(pgt_id)s
FOR NO KEY UPDATE OF s
