SELECT held.queue_name, held.key, held.job_id, held.status, held.expires_at,
    coalesce(job.completed_at, job.failed_at), job.state
FROM portico_job_key AS held
LEFT JOIN portico_job AS job ON job.id = held.job_id
WHERE (held.queue_name, held.key) IN (VALUES /*row*/ (?, ?))
