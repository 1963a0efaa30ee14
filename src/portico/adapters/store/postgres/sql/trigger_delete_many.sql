DELETE FROM {schema}.trigger_value WHERE trigger_name = $1 AND key = ANY ($2::text[])
