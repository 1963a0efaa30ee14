INSERT INTO {schema}.trigger_value (trigger_name, key, value, version)
VALUES ($1, $2, $3::text::json, nextval('{schema}.trigger_version'))
ON CONFLICT DO NOTHING
RETURNING version
