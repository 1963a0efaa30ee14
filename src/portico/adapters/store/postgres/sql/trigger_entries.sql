SELECT key, value::text, version FROM {schema}.trigger_value WHERE trigger_name = $1
