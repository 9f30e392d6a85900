-- A doorbell for the other launchers that have their home here: look again.
SELECT pg_notify('pgtrickle_launcher', '')
