UPDATE portico_trigger_version SET latest = latest + 1 RETURNING latest
