-- The server is to notice soon that a runner's host has vanished, and to end nothing for idleness. What is acknowledged is
-- on disk. Statements find the tables and functions of their schema by %(path)s.
SELECT set_config('search_path', %(path)s, false),
       set_config('tcp_keepalives_idle', '5', false),
       set_config('tcp_keepalives_interval', '2', false),
       set_config('tcp_keepalives_count', '3', false),
       set_config('tcp_user_timeout', '10000', false),
       set_config('idle_session_timeout', '0', false),
       set_config('statement_timeout', '0', false),
       set_config('default_transaction_isolation', 'read committed', false)
