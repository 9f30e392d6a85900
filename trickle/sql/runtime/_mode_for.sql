-- The refresh mode to store for the one asked for, given what the query was found to be.
CREATE FUNCTION pgtrickle._mode_for(asked text, volatility "char", reason text, stream_table text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on AS $fn$
BEGIN
    IF asked = 'FULL' THEN
        IF volatility = 'v' THEN
            RAISE WARNING 'stream table % calls functions that are %', stream_table, reason
                USING HINT = 'Each refresh recomputes it; verify may differ from what was stored.';
        END IF;
        RETURN 'FULL';
    ELSIF volatility = 'v' THEN
        IF asked IN ('DIFFERENTIAL', 'INCREMENTAL', 'IMMEDIATE') THEN
            RAISE EXCEPTION 'unsupported operator for % mode: % (%)', asked, stream_table, reason
                USING ERRCODE = '0A000', HINT = 'Use refresh_mode => ''FULL'', or a function that is IMMUTABLE.';
        END IF;
        RAISE WARNING 'stream table % is refreshed in full: %', stream_table, reason;
        RETURN 'FULL';
    ELSIF volatility = 's' AND asked = 'IMMEDIATE'
          AND reason ~ '\m(now|age|transaction_timestamp|statement_timestamp|current_setting)\(|current date, time|[\w"]\.["\w]+\(' THEN
        RAISE EXCEPTION 'unsupported operator for IMMEDIATE mode: % (%)', stream_table, reason
            USING ERRCODE = '0A000', HINT = 'Its answer changes although nobody writes: use refresh_mode => ''FULL'' with a schedule.';
    ELSIF volatility = 's' THEN
        RAISE WARNING 'stream table % may have to be refreshed in full: %', stream_table, reason
            USING HINT = 'The answer can change although no source does.';
    END IF;
    RETURN CASE asked WHEN 'IMMEDIATE' THEN 'IMMEDIATE' ELSE 'DIFFERENTIAL' END;
END
$fn$;
