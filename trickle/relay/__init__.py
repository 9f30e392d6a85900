"""The relay: messages out of outboxes to brokers, and from brokers into inboxes.

    outbox ──reader──▶ Message ──encode──▶ Outgoing ──lanes──▶ sink.send ──outcomes──▶ checkpoint
                                                        └── refused for good ──▶ dead letters
    source.receive ──▶ Incoming ──▶ inbox, in one transaction ──▶ source.acknowledge

What crosses a border inside is in `message`; what a destination or origin must be able to do is in `connector`; what
may be set for one is in its options, which `options` reads from JSON and documents. Each sink and each source is one
file in `sinks` and `sources`, and third parties add theirs through the entry points `trickle.sinks` and
`trickle.sources`.

Promises, and who keeps them:

- Nothing is lost: a message counts as delivered when the sink says that the destination has accepted it durably, and
  the checkpoint passes a message only when it and all before it are delivered or dead-lettered. (`delivery`)
- In order per key: while a message of a key is on its way or waits to be tried again, none after it overtakes it.
  (`delivery`)
- A transaction that commits late is never skipped: outboxes are read in windows of snapshots. (`outbox`)
- Whoever lost the claim cannot move the checkpoint: it carries an epoch. (`outbox`)
- A destination that is away holds its pipeline. It never empties a backlog into the dead letters. (`circuit`)

This package imports catalog and everything below; never supervisor or cli. Client libraries are imported by the
connector that needs them, when it is opened.
"""
