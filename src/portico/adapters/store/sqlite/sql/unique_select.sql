SELECT queue_name, unique_key, id FROM portico_job
WHERE unique_key IS NOT NULL AND state < 3 AND (queue_name, unique_key) IN (VALUES /*row*/ (?, ?))
