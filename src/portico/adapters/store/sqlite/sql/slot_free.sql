DELETE FROM portico_slot_hold WHERE until IS NULL AND job_id IN (VALUES /*row*/ (?)) RETURNING slot
