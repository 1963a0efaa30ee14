-- the cross join keeps the order: each name is looked up, never the table walked
WITH asked (queue_name, key) AS (VALUES /*row*/ (?, ?))
SELECT held.queue_name, held.key, held.job_id, held.status, held.expires_at,
    coalesce(job.completed_at, job.failed_at), job.state
FROM asked
CROSS JOIN portico_job_key AS held ON held.queue_name = asked.queue_name AND held.key = asked.key
LEFT JOIN portico_job AS job ON job.id = held.job_id
