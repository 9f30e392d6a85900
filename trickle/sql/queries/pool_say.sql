-- The name of the lock session says what the instance may use of the server's pool: names of sessions are seen from every
-- database and by everybody. %(name)s.
SELECT set_config('application_name', %(name)s, false)
