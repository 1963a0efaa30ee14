SELECT id, trigger_name, received_at, outcome, reason, source_id, job_ids, headers, body
FROM portico_event
WHERE (:before IS NULL OR seq < :before)
    AND (:trigger IS NULL OR trigger_name = :trigger)
    AND (:outcome IS NULL OR outcome = :outcome)
ORDER BY seq DESC LIMIT :limit
