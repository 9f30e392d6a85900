"""Every kind of destination that comes with Trickle, one file each: its options, its client, and nothing else.

A file defines one class and one CONNECTOR (see `trickle.relay.connector`), and is imported when a pipeline names it.
"""
