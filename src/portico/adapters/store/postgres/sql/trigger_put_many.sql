-- in the order of the keys, so that two callers wait for each other in one direction only
INSERT INTO {schema}.trigger_value (trigger_name, key, value, version)
SELECT $1, given.key, given.value::json, nextval('{schema}.trigger_version')
FROM unnest($2::text[], $3::text[]) AS given (key, value)
ORDER BY given.key COLLATE "C"
ON CONFLICT (trigger_name, key) DO UPDATE SET value = excluded.value, version = excluded.version
