-- The lock session idles for days. Let the server notice a vanished client soon, and end nothing for idleness. What it
-- writes is a heartbeat, which need not reach the disk and is not worth waiting for.
SELECT set_config('tcp_keepalives_idle', '5', false),
       set_config('tcp_keepalives_interval', '2', false),
       set_config('tcp_keepalives_count', '3', false),
       set_config('tcp_user_timeout', '10000', false),
       set_config('idle_session_timeout', '0', false),
       set_config('synchronous_commit', 'off', false),
       set_config('lock_timeout', '1s', false),
       set_config('statement_timeout', '10s', false)
