-- Remove a batch of messages from each outbox and inbox whose time is over.
SELECT pgtrickle._drain_outboxes() + pgtrickle._drain_inboxes()
