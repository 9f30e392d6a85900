-- One refresh, and how long it took. Everything it needs to know and everything it does is inside the server.
SELECT r.action, r.rows_inserted, r.rows_updated, r.rows_deleted, r.reason,
       extract(epoch FROM clock_timestamp() - statement_timestamp())::float8
  FROM pgtrickle._refresh(%(pgt_id)s::bigint, %(initiated_by)s::text) AS r
