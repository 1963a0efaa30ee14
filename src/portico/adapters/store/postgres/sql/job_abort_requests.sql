SELECT job.id FROM unnest($1::uuid[], $2::bigint[]) AS held (id, token)
JOIN {schema}.live_job AS job ON job.id = held.id
WHERE job.state + 0 = 2 AND job.lease_token = held.token AND job.abort_requested
