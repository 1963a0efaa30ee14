-- for an answer that is repeated because the reply to it was lost
SELECT answer.place::int, NULL::text FROM unnest($1::uuid[], $2::bigint[]) WITH ORDINALITY AS answer (id, token, place)
WHERE EXISTS (
    SELECT FROM {schema}.ended_job AS ended
    WHERE ended.id = answer.id AND ended.lease_token = answer.token AND ended.status = 'completed'
)
