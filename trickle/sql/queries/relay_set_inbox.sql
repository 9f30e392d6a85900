-- %(name)s, %(inbox)s, %(source)s, %(enabled)s, %(options)s.
SELECT pgtrickle.set_relay_inbox(%(name)s, %(inbox)s, source => %(source)s, enabled => %(enabled)s, options => %(options)s)
