"""What every queue adapter promises; subclass it, and your adapter is tested."""

from portico.testing.contracts.queue_suite.aborts import Aborts
from portico.testing.contracts.queue_suite.claims import Claims
from portico.testing.contracts.queue_suite.keys import Keys
from portico.testing.contracts.queue_suite.leases import Leases
from portico.testing.contracts.queue_suite.life_cycle import LifeCycle
from portico.testing.contracts.queue_suite.limits import Limits
from portico.testing.contracts.queue_suite.operations import Operations
from portico.testing.contracts.queue_suite.parking import Parking
from portico.testing.contracts.queue_suite.partitions import Partitions
from portico.testing.contracts.queue_suite.rates import Rates
from portico.testing.contracts.queue_suite.retention import Pruning
from portico.testing.contracts.queue_suite.shared_limits import SharedLimits
from portico.testing.contracts.queue_suite.sharing import Sharing


class JobQueueContract(
    LifeCycle,
    Claims,
    Keys,
    Leases,
    Aborts,
    Operations,
    Pruning,
    Limits,
    Parking,
    Rates,
    Partitions,
    Sharing,
    SharedLimits,
):
    """Subclass as ``class TestMyQueue(JobQueueContract)`` and give `make_queue`, which may be a coroutine.

    An adapter that is SHARED also gives `make_second_queue`, one that is capable of LIMITS `make_limited_queue`. One
    that takes a clock sets `self.clock` to a `portico.testing.FakeClock` (in an autouse fixture, new for each test) and
    passes it on: then nothing waits for real, and what takes days is tested too. One that forgets finished jobs sets
    `retention` to `SHORT_RETENTION` and passes it on. Tests of what an adapter does not claim in its `capabilities` are
    skipped; pytest and pytest-asyncio must be installed.
    """
