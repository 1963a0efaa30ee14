DELETE FROM portico_trigger_lease WHERE trigger_name = ? AND key = ? AND holder = ?
