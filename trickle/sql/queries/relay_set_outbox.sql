-- %(name)s, %(outbox)s, %(group)s, %(sink)s, %(enabled)s, %(options)s.
SELECT pgtrickle.set_relay_outbox(%(name)s, %(outbox)s, %(group)s, sink => %(sink)s, enabled => %(enabled)s,
                                  options => %(options)s)
