-- name: insert_mail
-- A mail about an account; its content is found out when it is rendered.
INSERT INTO links (id, purpose, token_hash, user_id, email, template, template_otherwise, path,
                   has_code, variables, data, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, now() + $12::interval);

-- name: take_link
-- Spend a link, once: of several redemptions at the same time one finds it.
DELETE FROM links
WHERE token_hash = $1 AND purpose = $2 AND expires_at > now() AND path IS NOT NULL
RETURNING id, user_id, email, data;

-- name: discard_links
-- Make the links of a user or an address worthless.
DELETE FROM links
WHERE (user_id = $1 OR email = $2) AND purpose = ANY ($3::text[]) AND path IS NOT NULL;
