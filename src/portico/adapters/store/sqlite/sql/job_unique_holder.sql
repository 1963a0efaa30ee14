SELECT other.id
FROM portico_job AS mine
JOIN portico_job AS other ON other.queue_name = mine.queue_name AND other.unique_key = mine.unique_key
WHERE mine.id = ? AND other.unique_key IS NOT NULL AND other.state < 3 AND other.id <> mine.id
