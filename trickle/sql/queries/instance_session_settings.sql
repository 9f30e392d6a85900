-- The parent's own session: short questions, notes that need not reach the disk, no waiting for anyone.
SELECT set_config('synchronous_commit', 'off', false),
       set_config('statement_timeout', '30s', false),
       set_config('lock_timeout', '5s', false),
       set_config('client_connection_check_interval', '1s', false),
       set_config('tcp_keepalives_idle', '5', false),
       set_config('tcp_keepalives_interval', '2', false),
       set_config('tcp_keepalives_count', '3', false),
       set_config('tcp_user_timeout', '10000', false)
