-- What became of a compilation.
UPDATE pgtrickle.pgt_stream_tables
SET program_state = %(state)s, program_version = %(version)s, program_reason = %(reason)s,
    program_explain = %(explain)s, updated_at = now()
WHERE pgt_id = %(pgt_id)s
