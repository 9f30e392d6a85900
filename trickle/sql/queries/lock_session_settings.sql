-- The lock session idles for days. Let the server notice a vanished client soon, and end nothing for idleness.
SELECT set_config('tcp_keepalives_idle', '5', false),
       set_config('tcp_keepalives_interval', '2', false),
       set_config('tcp_keepalives_count', '3', false),
       set_config('tcp_user_timeout', '10000', false),
       set_config('idle_session_timeout', '0', false),
       set_config('statement_timeout', '10s', false)
