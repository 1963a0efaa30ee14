DELETE FROM portico_slot_hold
WHERE until IS NULL AND NOT EXISTS (
    SELECT 1 FROM portico_job AS job WHERE job.id = portico_slot_hold.job_id AND +job.state = 2
)
