-- A stream table and its query, as the demo wrote it, compared both ways as bags.
-- The columns are named because a stream table may have hidden ones.
WITH kept AS MATERIALIZED (SELECT {columns} FROM {table}),
     asked AS MATERIALIZED (SELECT {columns} FROM ({query}) AS q)
SELECT (SELECT count(*) FROM asked) AS rows,
       (SELECT count(*) FROM (SELECT * FROM asked EXCEPT ALL SELECT * FROM kept) AS missing) AS missing_rows,
       (SELECT count(*) FROM (SELECT * FROM kept EXCEPT ALL SELECT * FROM asked) AS extra) AS extra_rows
