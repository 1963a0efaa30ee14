DELETE FROM portico_trigger_value WHERE trigger_name = ? AND key = ?
