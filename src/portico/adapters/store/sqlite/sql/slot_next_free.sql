SELECT hold.until FROM portico_slot_hold AS hold
WHERE hold.until IS NOT NULL AND EXISTS (
    SELECT 1 FROM portico_job AS job WHERE job.state = -1 AND job.queue_name = ? AND job.parked_for = hold.slot
)
ORDER BY hold.until LIMIT 1
