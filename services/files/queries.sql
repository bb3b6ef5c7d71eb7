-- name: insert_upload
-- A file whose bytes are about to be stored; nobody sees it yet. Nothing is returned for an owner
-- whose account is deleted.
INSERT INTO files (id, owner_id, name, object_key, content_type, state, upload_lease_until)
SELECT $1, $2, $3, $4, $5, 'uploading', now() + $6
 WHERE NOT EXISTS (SELECT FROM erased_owners WHERE owner_id = $2)
RETURNING id

-- name: renew_upload_lease
-- The upload goes on; nothing is returned if it was given up meanwhile.
UPDATE files SET upload_lease_until = now() + $2
 WHERE id = $1 AND state = 'uploading'
RETURNING id

-- name: finish_upload
-- The bytes are stored; nothing is returned if the upload was given up meanwhile.
UPDATE files SET state = $2, size = $3, sha256 = $4, upload_lease_until = NULL
 WHERE id = $1 AND state = 'uploading'
RETURNING id

-- name: abandon_upload
-- Give up an upload that has not finished, so that it never can; returns what to remove. With
-- $2, only if it has not moved for the time of its lease.
UPDATE files SET state = 'abandoned', upload_lease_until = NULL
 WHERE id = $1
   AND (state = 'abandoned'
        OR state = 'uploading' AND (NOT $2::boolean OR upload_lease_until < now()))
RETURNING object_key

-- name: upload_lease
-- How much longer an upload that goes on has to move.
SELECT upload_lease_until - now() FROM files WHERE id = $1 AND state = 'uploading'

-- name: delete_abandoned
-- Forget an upload that was given up, once its object is gone.
DELETE FROM files WHERE id = $1 AND state = 'abandoned'

-- name: insert_erased_owner
-- No upload of this owner begins any more.
INSERT INTO erased_owners (owner_id) VALUES ($1)
ON CONFLICT ON CONSTRAINT erased_owners_pkey DO NOTHING

-- name: close_files
-- Give up a batch of an owner's files, finished or not; returns what to remove.
UPDATE files SET state = 'abandoned', upload_lease_until = NULL, rejection = NULL
 WHERE id IN (
         SELECT id FROM files
          WHERE owner_id = $1 AND state IN ('processing', 'ready', 'rejected')
          UNION ALL
         SELECT id FROM files WHERE owner_id = $1 AND state IN ('uploading', 'abandoned')
          LIMIT $2)
RETURNING id, object_key

-- name: delete_closed
-- Forget files that were given up, once their objects are gone.
DELETE FROM files WHERE id = ANY ($1::uuid[]) AND state = 'abandoned'

-- name: find_file
-- One stored file with its variants.
SELECT id, owner_id, name, object_key, content_type, size, sha256, visibility, state, rejection,
       created_at,
       (SELECT jsonb_object_agg(variants.name, jsonb_build_object(
                 'object_key', variants.object_key, 'content_type', variants.content_type,
                 'width', width, 'height', height, 'size', variants.size))
          FROM variants WHERE file_id = files.id) AS variants
  FROM files
 WHERE id = $1 AND state IN ('processing', 'ready', 'rejected')

-- name: list_files
-- Stored files of an owner, newest first, from below an id on.
SELECT id, owner_id, name, object_key, content_type, size, sha256, visibility, state, rejection,
       created_at,
       (SELECT jsonb_object_agg(variants.name, jsonb_build_object(
                 'object_key', variants.object_key, 'content_type', variants.content_type,
                 'width', width, 'height', height, 'size', variants.size))
          FROM variants WHERE file_id = files.id) AS variants
  FROM files
 WHERE owner_id = $1 AND id < $2 AND state IN ('processing', 'ready', 'rejected')
 ORDER BY id DESC
 LIMIT $3

-- name: finish_processing
-- A file has all its variants, or was rejected for a reason; nothing is returned if another
-- attempt was first.
UPDATE files SET state = $2, rejection = $3
 WHERE id = $1 AND state = 'processing'
RETURNING id

-- name: insert_variant
-- A derived form whose object is stored.
INSERT INTO variants (file_id, name, object_key, content_type, width, height, size)
VALUES ($1, $2, $3, $4, $5, $6, $7)
