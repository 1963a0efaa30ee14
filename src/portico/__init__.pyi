from portico import compose as compose
from portico.kits.job.context import Context as Context
from portico.kits.job.job_definition import job as job
from portico.ports.job_limits import ConcurrencyLimit as ConcurrencyLimit
from portico.ports.job_limits import RateLimit as RateLimit

__version__: str
