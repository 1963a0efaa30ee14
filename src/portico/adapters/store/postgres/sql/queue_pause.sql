INSERT INTO {schema}.paused_queue (queue_name) VALUES ($1) ON CONFLICT DO NOTHING
