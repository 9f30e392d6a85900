-- Keep what was polled for so many seconds from now; NULL when the lease has gone to another consumer.
SELECT pgtrickle.extend_lease(%(group)s, %(consumer)s, %(visibility_seconds)s)
