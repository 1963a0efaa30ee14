WITH live AS (
    DELETE FROM {schema}.live_job WHERE id = $1::uuid AND state <> 2
    RETURNING id, queue_name, idempotency_key, 'failed' AS status, coalesce($2::timestamptz, now()) AS ended_at, waits_for
), ended AS (
    DELETE FROM {schema}.ended_job WHERE id = $1 RETURNING id, queue_name, idempotency_key, status, ended_at, NULL::bigint
), gone AS (
    SELECT * FROM live UNION ALL SELECT * FROM ended
), outlived AS (
    UPDATE {schema}.job_key AS held SET status = gone.status, expires_at = gone.ended_at + $3::interval
    FROM gone
    WHERE held.queue_name = gone.queue_name AND held.key = gone.idempotency_key AND held.job_id = gone.id
)
SELECT ARRAY(SELECT {schema}.leave_slot(gone.waits_for, gone.ended_at)) AS came_back_to FROM gone
