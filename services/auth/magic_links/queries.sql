-- name: insert_request
-- Who asked for a link.
INSERT INTO magic_link_requests (link_id, request_hash) VALUES ($1, $2);

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
