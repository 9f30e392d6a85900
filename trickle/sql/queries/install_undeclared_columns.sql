-- What the program of a stream table keeps from being NULL and its storage does not declare so yet. Nothing is locked:
-- whoever waits for its readers holds nothing that others wait for.
SELECT s.pgt_schema AS schema, s.pgt_name AS name, s.pgt_relid::int8 AS storage,
       pg_get_userbyid(c.relowner) AS owner,
       pg_get_userbyid(c.relowner) <> current_user
           AND CASE WHEN current_setting('server_version_num')::int >= 160000 THEN pg_has_role(c.relowner, 'SET')
                    ELSE pg_has_role(c.relowner, 'MEMBER') END AS is_anothers,
       ARRAY(SELECT a.attname::text
             FROM jsonb_array_elements_text(s.program_explain -> 'certain') k(name)
             JOIN pg_attribute a ON a.attrelid = s.pgt_relid AND a.attname = k.name AND NOT a.attnotnull
             ORDER BY a.attnum) AS columns
FROM pgtrickle.pgt_stream_tables s JOIN pg_class c ON c.oid = s.pgt_relid
WHERE s.pgt_id = %(pgt_id)s AND s.program_state = 'compiled'
