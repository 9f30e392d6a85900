CREATE FUNCTION pgtrickle._advance_watermark(relid oid, watermark timestamptz) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
#variable_conflict use_column
DECLARE
    reached timestamptz;
BEGIN
    PERFORM pgtrickle._assert_source_writer(_advance_watermark.relid);
    IF NOT isfinite(_advance_watermark.watermark) THEN
        RAISE EXCEPTION 'invalid argument: a watermark is a moment, not %', _advance_watermark.watermark USING ERRCODE = '22023';
    END IF;
    INSERT INTO pgtrickle.pgt_watermarks AS w (source_relid, watermark, advanced_by, wal_lsn)
    VALUES (_advance_watermark.relid, _advance_watermark.watermark, session_user, pg_current_wal_insert_lsn())
    ON CONFLICT (source_relid) DO UPDATE
        SET watermark = excluded.watermark, updated_at = clock_timestamp(), advanced_by = excluded.advanced_by,
            wal_lsn = excluded.wal_lsn
        WHERE w.watermark < excluded.watermark;
    IF FOUND THEN
        PERFORM pg_notify('pgtrickle_watermark', 'wm:' || _advance_watermark.relid), pgtrickle._ring();
        RETURN;
    END IF;
    SELECT w.watermark INTO reached FROM pgtrickle.pgt_watermarks w WHERE w.source_relid = _advance_watermark.relid;
    IF reached > _advance_watermark.watermark THEN
        RAISE EXCEPTION 'the watermark of % would go back from % to %',
            _advance_watermark.relid::regclass, reached, _advance_watermark.watermark
            USING ERRCODE = '22000', HINT = 'A watermark only advances. What came late is captured as any other change.';
    END IF;
END
$fn$;
