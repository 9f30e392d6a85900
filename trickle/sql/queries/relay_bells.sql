-- The bells of these outboxes, and whether publishers may ring: a transaction that has notified cannot be prepared.
-- %(outboxes)s.
SELECT o.name,
       pgtrickle._outbox_bell(o.name),
       CASE pgtrickle._setting('event_driven_wake', 'auto') WHEN 'auto' THEN current_setting('max_prepared_transactions') = '0'
            ELSE pgtrickle._setting_flag('event_driven_wake', 'on') END
  FROM unnest(%(outboxes)s::text[]) AS o(name)
