-- Take messages into an inbox; how many were new. %(inbox)s and arrays side by side.
SELECT pgtrickle.receive(%(inbox)s, %(event_ids)s::text[], %(event_types)s::text[], %(sources)s::text[], %(keys)s::text[],
                         %(payloads)s::text[], %(trace_ids)s::text[])
