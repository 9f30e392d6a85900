"""Instances at work while processes are killed, stopped and disconnected, and the server goes away.

    load (threads) ──writes──▶ sources ──▶ instances (processes of their own) ──▶ stream tables
                                                ▲ kill -9, SIGSTOP, pg_terminate_backend, restart
                                                │ a cut network, standby and promotion

Afterwards the load ends, and every stream table has to become equal to its query without anybody's help.
Counts are small in the everyday run; those marked `full` are the promised ones.
"""
