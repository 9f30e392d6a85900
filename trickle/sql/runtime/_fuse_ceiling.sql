-- How many pending changes blow the fuse of a stream table; NULL when nothing says so. Its own ceiling comes first. In
-- mode auto it is what its refreshes usually find, and `fuse_sensitivity` standard deviations more (3 by default), but
-- never below a thousand. Then comes the setting fuse_default_ceiling.
CREATE FUNCTION pgtrickle._fuse_ceiling(st pgtrickle.pgt_stream_tables) RETURNS bigint
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    usual record;
BEGIN
    IF st.fuse_mode = 'off' OR st.fuse_ceiling IS NOT NULL THEN
        RETURN CASE WHEN st.fuse_mode <> 'off' THEN st.fuse_ceiling END;
    END IF;
    IF st.fuse_mode = 'auto' THEN
        SELECT count(*) AS known, avg(h.changes_seen) AS mean, coalesce(stddev_pop(h.changes_seen), 0) AS deviation INTO usual
        FROM (SELECT r.changes_seen FROM pgtrickle.pgt_refresh_history r
              WHERE r.pgt_id = st.pgt_id AND r.status = 'COMPLETED' AND r.changes_seen IS NOT NULL
              ORDER BY r.start_time DESC LIMIT 100) h;
        IF usual.known >= 5 THEN
            RETURN greatest(1000, ceil(usual.mean + coalesce(st.fuse_sensitivity, 3) * usual.deviation));
        END IF;
    END IF;
    RETURN nullif(pgtrickle._setting_number('fuse_default_ceiling', '0'), 0);
END
$fn$;
