-- The session of a refresh subprocess. Frontier and data commit together, so losing the last commits in a crash
-- loses a suffix of both: no refresh has to wait for the disk. A killed client is noticed in the middle of a statement.
-- %(is_local)s: for one transaction (behind a pooler) or for the session.
SELECT set_config('synchronous_commit', 'off', %(is_local)s::boolean),
       set_config('statement_timeout', %(statement_timeout)s, %(is_local)s::boolean),
       set_config('lock_timeout', %(lock_timeout)s, %(is_local)s::boolean),
       set_config('idle_in_transaction_session_timeout', '60s', %(is_local)s::boolean),
       set_config('client_connection_check_interval', '250ms', %(is_local)s::boolean),
       set_config('tcp_keepalives_idle', '5', %(is_local)s::boolean),
       set_config('tcp_keepalives_interval', '2', %(is_local)s::boolean),
       set_config('tcp_keepalives_count', '3', %(is_local)s::boolean),
       set_config('tcp_user_timeout', '10000', %(is_local)s::boolean)
