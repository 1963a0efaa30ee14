WITH gone AS (
    DELETE FROM {schema}.live_job AS job WHERE id = $1::uuid AND state <> 2 RETURNING job
)
SELECT ARRAY(SELECT {schema}.leave_slot((gone.job).waits_for, coalesce($2::timestamptz, now()))) AS came_back_to
FROM gone, {schema}.end_job(
    gone.job, 'failed', $3::text, coalesce($2::timestamptz, now()), (gone.job).crash_count
)
