-- Everything but the schema itself, which holds the version table of the migrations.
DROP VIEW pgtrickle.instances, pgtrickle.ownership, pgtrickle._claim_keys, pgtrickle.held, pgtrickle.pg_stat_stream_tables,
    pgtrickle.stream_tables_info;
DO $do$
DECLARE
    item record;
BEGIN
    FOR item IN SELECT p.oid::regprocedure AS signature FROM pg_proc p WHERE p.pronamespace = 'pgtrickle'::regnamespace
    LOOP
        EXECUTE format('DROP FUNCTION %s CASCADE', item.signature);
    END LOOP;
END
$do$;
DROP TABLE pgtrickle.pgt_instances, pgtrickle.pgt_source_gates, pgtrickle.pgt_watermarks, pgtrickle.pgt_watermark_groups,
    pgtrickle.pgt_full_costs, pgtrickle.pgt_differential_costs,
    pgtrickle.pgt_refresh_history, pgtrickle.pgt_frontiers, pgtrickle.pgt_immediate, pgtrickle.pgt_dependencies,
    pgtrickle.pgt_change_tracking, pgtrickle.pgt_stream_tables, pgtrickle.pgt_settings, pgtrickle.identity;
DROP TYPE pgtrickle.refresh_outcome, pgtrickle.refresh_choice;
