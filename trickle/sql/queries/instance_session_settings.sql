-- The parent's own session: short questions, notes that need not reach the disk, no waiting for anyone.
SELECT set_config('synchronous_commit', 'off', false),
       set_config('statement_timeout', '30s', false),
       set_config('lock_timeout', '5s', false),
       set_config('client_connection_check_interval', '1s', false)
