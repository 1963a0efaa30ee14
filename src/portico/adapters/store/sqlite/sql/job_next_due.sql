SELECT min(moment) FROM (
    SELECT min(run_at) AS moment FROM portico_job WHERE state = 1 AND queue_name = ?
    UNION ALL
    SELECT min(lease_expires_at) FROM portico_job WHERE state = 2
)
