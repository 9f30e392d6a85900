-- Set messages aside. %(name)s, %(letters)s: one object for each, %(payloads)s: their payloads in the same order.
SELECT pgtrickle._relay_bury(%(name)s, %(letters)s, %(payloads)s)
