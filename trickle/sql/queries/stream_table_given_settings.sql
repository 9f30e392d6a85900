-- The settings of this database that somebody has given a value, and rows of set_config that no list names.
SELECT n.name, n.value
  FROM (SELECT l.name,
               coalesce(nullif(current_setting('pg_trickle.' || l.name, true), ''),
                        (SELECT s.value FROM pgtrickle.pgt_settings AS s WHERE s.name = l.name)) AS value
          FROM unnest(%(names)s::text[]) AS l(name)
         UNION
        SELECT s.name, s.value FROM pgtrickle.pgt_settings AS s WHERE s.name <> ALL (%(names)s::text[])) AS n
 WHERE n.value IS NOT NULL
 ORDER BY 1
