-- Remove a batch of messages from each outbox whose time is over.
SELECT pgtrickle._drain_outboxes()
