-- Tell of what goes wrong for long; how much was told.
SELECT pgtrickle._survey()
