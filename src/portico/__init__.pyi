from portico import compose as compose
from portico.kits.job.context import Context as Context
from portico.kits.job.job_definition import job as job

__version__: str
