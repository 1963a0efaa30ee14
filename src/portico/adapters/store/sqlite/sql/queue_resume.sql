DELETE FROM portico_paused_queue WHERE queue_name = ?
