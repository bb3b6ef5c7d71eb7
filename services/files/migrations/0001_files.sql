-- Files and what was made of them. A row exists before the first byte reaches S3, so that no
-- object can be there which no row knows of.

CREATE TABLE files (
  id uuid PRIMARY KEY,
  owner_id uuid NOT NULL,
  name text NOT NULL CONSTRAINT files_name_given CHECK (name <> ''),
  object_key text NOT NULL CONSTRAINT files_object_key UNIQUE,
  content_type text NOT NULL,
  size bigint CONSTRAINT files_size_positive CHECK (size > 0),
  sha256 bytea CONSTRAINT files_sha256_length CHECK (length(sha256) = 32),
  visibility text NOT NULL DEFAULT 'private'
    CONSTRAINT files_visibility CHECK (visibility IN ('private', 'public')),
  state text NOT NULL
    CONSTRAINT files_state CHECK (state IN
      ('uploading', 'abandoned', 'processing', 'ready', 'rejected')),
  upload_lease_until timestamptz,
  rejection text,
  created_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT files_stored_is_described
    CHECK (state IN ('uploading', 'abandoned') OR (size IS NOT NULL AND sha256 IS NOT NULL)),
  CONSTRAINT files_uploading_has_lease
    CHECK ((state = 'uploading') = (upload_lease_until IS NOT NULL)),
  CONSTRAINT files_rejected_has_reason CHECK ((state = 'rejected') = (rejection IS NOT NULL)));
CREATE INDEX files_of_owner ON files (owner_id, id)
  WHERE state IN ('processing', 'ready', 'rejected');

CREATE TABLE variants (
  file_id uuid NOT NULL REFERENCES files ON DELETE CASCADE,
  name text NOT NULL,
  object_key text NOT NULL CONSTRAINT variants_object_key UNIQUE,
  content_type text NOT NULL,
  width integer NOT NULL CONSTRAINT variants_width_positive CHECK (width > 0),
  height integer NOT NULL CONSTRAINT variants_height_positive CHECK (height > 0),
  size bigint NOT NULL CONSTRAINT variants_size_positive CHECK (size > 0),
  PRIMARY KEY (file_id, name));
