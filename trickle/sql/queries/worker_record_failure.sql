-- Count a failure and suspend the stream table when there were too many in a row.
SELECT pgtrickle._record_failure(%(pgt_id)s::bigint, %(started)s::timestamptz, %(code)s::text, %(message)s::text,
                                 %(initiated_by)s::text)
