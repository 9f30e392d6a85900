-- The session that waits for the end of a peer: for as long as it says itself, noticing when it is no longer wanted.
SELECT set_config('statement_timeout', '0', false),
       set_config('idle_session_timeout', '0', false),
       set_config('client_connection_check_interval', '1s', false),
       set_config('tcp_keepalives_idle', '5', false),
       set_config('tcp_keepalives_interval', '2', false),
       set_config('tcp_keepalives_count', '3', false),
       set_config('tcp_user_timeout', '10000', false)
