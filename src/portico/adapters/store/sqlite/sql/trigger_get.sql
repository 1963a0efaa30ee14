SELECT value, version FROM portico_trigger_value WHERE trigger_name = ? AND key = ?
