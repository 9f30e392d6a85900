-- Indexes that would serve the programs of stream tables; one line for each that is missing.
SELECT m.stream_table, m.source_table, m.statement FROM pgtrickle.missing_indexes() m
