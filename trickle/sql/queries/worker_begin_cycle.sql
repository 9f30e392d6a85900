-- Empty the members of a cycle where it has to be derived anew.
SELECT pgtrickle._begin_cycle(%(pgt_ids)s::bigint[])
