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
