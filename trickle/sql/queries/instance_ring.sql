-- A doorbell for the instances. Without a word: something they may own has changed. With `members`: somebody joined,
-- left, ended or gave something up. It carries nothing else; they look themselves.
SELECT pg_notify('pgtrickle_wake', %(payload)s)
