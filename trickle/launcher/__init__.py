"""The launcher: one instance for each database of a server that has the catalog, as databases come and go.

    pg_database, locks ──survey──▶ Sight ──share──▶ claims on database names ──▶ what should run here
    exits, signals, time ──────────────────────────────▶ roster.step ──▶ start, ask, end

A launcher holds one session in the database it was given, its home. Launchers of one group that have the same
home find each other there and share the databases: each holds a shared lock that makes it a member and an
exclusive lock for each database it runs an instance for. The instance is an ordinary one, forked, and knows nothing
of the launcher.

- Every second the launcher looks which databases there are and who wants to drop one; every ten seconds, on
  `NOTIFY pgtrickle_launcher` in its home, and for a database never seen before, whether they have the catalog.
- What ends without being asked is started again with back-off. What has lost its database or its claim is asked to end.
- A database that somebody wants to drop, rename or copy (its lock says so) is left within the five seconds that
  the server waits, so a plain DROP DATABASE works. What still exists afterwards is taken up again.
- While the home session is lost, everything goes on as it was. Two instances in one database share its work, so a claim
  that two launchers believe in for a moment does no harm.

Deciding is pure: `share`, `roster`. It imports supervisor, worker and everything below; cli imports it.
"""

from __future__ import annotations

from trickle.launcher.loop import run_launcher
from trickle.launcher.options import LauncherOptions

__all__ = ["LauncherOptions", "run_launcher"]
