DELETE FROM {schema}.paused_queue WHERE queue_name = $1
