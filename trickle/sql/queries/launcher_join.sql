-- Be a member beside the others: each holds this lock shared. %(group)s, %(name)s.
SELECT pg_try_advisory_lock_shared(hashtext(%(group)s), hashtext(%(name)s))
