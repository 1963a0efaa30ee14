DELETE FROM {schema}.trigger_lease WHERE trigger_name = $1 AND key = $2 AND holder = $3
