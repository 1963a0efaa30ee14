SELECT live.id FROM {schema}.ended_job AS ended
JOIN {schema}.live_job AS live ON live.queue_name = ended.queue_name AND live.unique_key = ended.unique_key
WHERE ended.id = $1::uuid
