"""Many tenants: a supervisor that has a few of them hot, each in a process of its own, and hears when others wake.

    list of tenants ──▶ supervisor ──plan, over a socket──▶ process of a tenant ──leases──▶ jobs of the tenant
         bells, statistics, looks ──▶ ▲                             │
                                      └────── standing, end ────────┘

What flows in: a list (`listing`), what the databases tell (`dispatcher`), what the processes say (`processes`). What
flows out: plans, and words to end. Deciding is pure: `pool` says who has a place, `cold` whom to look at, `budget`
whether there are connections enough.

- A worker of tenant A has no connection, credential or memory of B: its process was forked from one that knows no
  tenant (`nursery`), and is told of A alone.
- There are never more than `hot_pool_max` of them, so never more connections than the budget says.
- A tenant is hot in one place: its supervisor holds its lock in the home database (`home`), and other supervisors take
  over when that session ends. Two that believe in it for a moment do no harm, because every job has a lease.
- A tenant that cannot be reached is looked at less and less often, and costs the others nothing.

- Stream tables and pipelines of a tenant with a database of its own are worked on by processes beside that of its jobs
  (`companion`), when that is wanted; `duties` says whether they have anything to do.

It imports jobs, supervisor and below; cli imports it. In handlers, `here()` is the tenant.
"""

from __future__ import annotations

from trickle.tenants.budget import Budget
from trickle.tenants.here import here
from trickle.tenants.kinds import Kinds
from trickle.tenants.metrics import SupervisorMetrics
from trickle.tenants.options import SupervisorOptions
from trickle.tenants.stage import HotTenant
from trickle.tenants.supervisor import TenantJobSupervisor
from trickle.tenants.tenant import Tenant

__all__ = [
    "Budget",
    "HotTenant",
    "Kinds",
    "SupervisorMetrics",
    "SupervisorOptions",
    "Tenant",
    "TenantJobSupervisor",
    "here",
]
