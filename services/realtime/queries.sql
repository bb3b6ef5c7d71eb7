-- name: current_epoch
-- The present life of the stream.
SELECT name, previous, boot_id FROM epochs ORDER BY id DESC LIMIT 1

-- name: begin_epoch
-- Begin a new life after a named one, unless somebody else did so first.
INSERT INTO epochs (name, previous) VALUES (left(md5(gen_random_uuid()::text), 12), $1)
ON CONFLICT (previous) DO NOTHING

-- name: mark_declared
-- Note that an epoch's stream exists, and in which run of the host it was made.
UPDATE epochs SET boot_id = $2 WHERE name = $1
