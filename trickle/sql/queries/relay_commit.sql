-- Everything that was polled, up to and with this message, is done.
SELECT pgtrickle.commit_offset(%(group)s, %(consumer)s, %(outbox_id)s)
