-- End the wait of our watch, which is about to watch another. It is a session of the same role and address.
SELECT pg_cancel_backend(%(backend_pid)s)
