SELECT key, value, version FROM portico_trigger_value WHERE trigger_name = ?
