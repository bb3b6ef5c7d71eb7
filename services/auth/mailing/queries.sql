-- name: insert_mail
-- A mail about an account; its content is found out when it is rendered.
INSERT INTO links (id, purpose, token_hash, user_id, email, template, template_otherwise, path,
                   has_code, variables, data, expires_at, template_taken)
SELECT $1::uuid, $2::text, $3::bytea, $4::uuid, $5::text, $6::text, $7::text, $8::text,
       $9::boolean, $10::jsonb, $11::jsonb, now() + $12::interval, $14::text
WHERE $13::integer IS NULL OR $13 > (
    SELECT count(*) FROM links WHERE email = $5 AND purpose = $2 AND expires_at > now())
RETURNING id;

-- name: find_link_address
-- Where a link was sent that is still good.
SELECT email FROM links
WHERE token_hash = $1 AND purpose = $2 AND expires_at > now() AND path IS NOT NULL;

-- name: take_link
-- Spend a link, once: of several redemptions at the same time one finds it.
DELETE FROM links
WHERE token_hash = $1 AND purpose = $2 AND expires_at > now() AND path IS NOT NULL
RETURNING id, user_id, email, data;

-- name: discard_links
-- Make the links of a user or an address worthless.
DELETE FROM links
WHERE (user_id = $1 OR email = $2) AND purpose = ANY ($3::text[]) AND path IS NOT NULL;

-- name: count_up
-- Count one more act at an address from one network; after a while the count begins anew.
INSERT INTO magic_link_counts AS known (address, kind, network, count, since)
VALUES ($1, $2, $3, 1, clock_timestamp())
ON CONFLICT ON CONSTRAINT magic_link_counts_pkey DO UPDATE
SET count = CASE WHEN known.since < clock_timestamp() - $4::interval THEN 1
                 ELSE known.count + 1 END,
    since = CASE WHEN known.since < clock_timestamp() - $4::interval THEN clock_timestamp()
                 ELSE known.since END
RETURNING count;

-- name: count_down
-- Take one act back.
UPDATE magic_link_counts SET count = count - 1
WHERE address = $1 AND kind = $2 AND network = $3;

-- name: count_everywhere
-- How often an act was let through at an address from all networks, each for at most its share.
SELECT coalesce(sum(least(count, $4)), 0)
FROM magic_link_counts
WHERE address = $1 AND kind = $2 AND since >= clock_timestamp() - $3::interval;

-- name: delete_old_counts
-- Remove a batch of counts that have begun anew by now.
DELETE FROM magic_link_counts WHERE (address, kind, network) IN (
    SELECT address, kind, network FROM magic_link_counts
    WHERE since < clock_timestamp() - $2::interval
    LIMIT $1 FOR UPDATE SKIP LOCKED
);
