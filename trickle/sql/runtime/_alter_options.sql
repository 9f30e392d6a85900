-- The options that only alter knows, checked; those that were NULL are left out.
CREATE FUNCTION pgtrickle._alter_options(
    status text, tier text, fuse text, fuse_ceiling bigint, fuse_sensitivity int, post_refresh_action text,
    reindex_drift_threshold float8) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
BEGIN
    IF fuse_ceiling <= 0 OR fuse_sensitivity <= 0 THEN
        RAISE EXCEPTION 'invalid argument: fuse_ceiling and fuse_sensitivity must be positive' USING ERRCODE = '22023';
    ELSIF pgtrickle._choose('post_refresh_action', post_refresh_action, '{none,analyze,reindex,reindex_if_drift}') <> 'none'
          OR reindex_drift_threshold IS NOT NULL THEN
        RAISE EXCEPTION 'option post_refresh_action is not available in this version'
            USING ERRCODE = '0A000', HINT = 'Leave the option out.';
    END IF;
    RETURN jsonb_strip_nulls(jsonb_build_object(
        'status', pgtrickle._choose('status', status, '{INITIALIZING,ACTIVE,SUSPENDED,ERROR}'),
        'tier', pgtrickle._choose('tier', tier, '{hot,warm,cold,frozen}'),
        'fuse', pgtrickle._choose('fuse', fuse, '{off,on,auto}'),
        'fuse_ceiling', fuse_ceiling, 'fuse_sensitivity', fuse_sensitivity));
END
$fn$;
