-- Every stream table as one record, or the one with this storage relation.
-- %(relid)s: oid of the storage table, or NULL for all.
SELECT s.pgt_id,
       s.pgt_relid::bigint AS pgt_relid,
       s.pgt_schema,
       s.pgt_name,
       s.pgt_owner,
       s.defining_query,
       s.original_query,
       s.schedule,
       s.refresh_mode,
       s.requested_mode,
       s.effective_refresh_mode,
       s.status,
       s.is_populated,
       s.needs_reinit,
       s.refresh_tier,
       s.data_timestamp,
       s.last_refresh_at,
       extract(epoch FROM s.staleness)::float8 AS staleness_seconds,
       s.stale,
       s.consecutive_errors,
       s.last_error_message,
       s.last_error_at,
       s.program_state,
       s.program_version,
       s.program_reason
  FROM pgtrickle.stream_tables_info AS s
 WHERE %(relid)s::oid IS NULL OR s.pgt_relid = %(relid)s::oid
 ORDER BY s.pgt_schema, s.pgt_name
