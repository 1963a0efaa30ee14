UPDATE portico_job SET state = 0
WHERE seq IN (
    SELECT seq FROM portico_job WHERE state = -1 AND queue_name = ? AND parked_for = ?
    ORDER BY priority DESC, rank, seq LIMIT ?
)
