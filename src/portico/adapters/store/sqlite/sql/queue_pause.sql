INSERT INTO portico_paused_queue (queue_name) VALUES (?) ON CONFLICT DO NOTHING
