"""The `trickle` command: one file per verb, and nothing imports this package.

    argv ──▶ main (verbs) ──▶ target (settings, where to connect) ──▶ client, supervisor, embedded
                                   output (tables, JSON) ◀── answers
                                   failures (one block, exit code) ◀── errors

A verb reads its arguments, makes one call, prints one answer. What it prints for people goes through
`output`; `--json` prints the same facts for programs, on standard output alone. An error is one block on
standard error: what, where, what to do. The exit code says who has to act:

    0   done                               3   refused by the state of the server, or changed underneath
    1   yours: the request is wrong,       4   try again: locks, lost connections
        or a check found a difference     70   ours: a defect of Trickle
    2   usage of the command

`trickle worker` ends with the codes of `trickle.supervisor.options`, which tell a process supervisor whether
starting it again can help.
"""
