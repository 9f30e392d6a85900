-- A doorbell for the other instances: something they may own has changed. It carries nothing; they look themselves.
SELECT pg_notify('pgtrickle_wake', '')
