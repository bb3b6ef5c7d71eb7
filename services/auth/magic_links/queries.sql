-- name: insert_request
-- Who asked for a link.
INSERT INTO magic_link_requests (link_id, request_hash) VALUES ($1, $2);

-- name: find_request_address
-- Where the live link was sent that somebody asked for.
SELECT links.email
FROM links JOIN magic_link_requests requests ON requests.link_id = links.id
WHERE requests.request_hash = $1 AND links.expires_at > now();

-- name: lock_request
-- The live link that somebody asked for, locked so that its codes are tried one after the other.
SELECT links.id AS link_id, links.email, requests.failures
FROM links JOIN magic_link_requests requests ON requests.link_id = links.id
WHERE requests.request_hash = $1 AND links.expires_at > now()
FOR UPDATE OF links, requests;

-- name: count_failure
-- One more wrong code for a link.
UPDATE magic_link_requests SET failures = failures + 1 WHERE link_id = $1;

-- name: delete_link
-- A link that too many wrong codes were tried for.
DELETE FROM links WHERE id = $1;
