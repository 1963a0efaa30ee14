SELECT EXISTS (SELECT 1 FROM portico_paused_queue WHERE queue_name = ?)
