SELECT pg_backend_pid() AS pid, clock_timestamp() AS now
