-- Say that a source is complete up to this moment of its data. Part of the caller's transaction: whoever loads a batch
-- advances the watermark with it. It never goes back; advancing it to where it is changes nothing.
CREATE FUNCTION pgtrickle.advance_watermark(source text, watermark timestamptz) RETURNS void
LANGUAGE plpgsql STRICT AS $fn$
DECLARE
    relid pg_catalog.oid := pgtrickle._source(source, current_schema()::pg_catalog.text);
BEGIN
    PERFORM pgtrickle._advance_watermark(relid, watermark);
END
$fn$;
