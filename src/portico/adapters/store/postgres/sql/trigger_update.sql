UPDATE {schema}.trigger_value SET value = $3::text::json, version = nextval('{schema}.trigger_version')
WHERE trigger_name = $1 AND key = $2 AND version = $4
RETURNING version
