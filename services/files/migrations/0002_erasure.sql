-- Owners whose accounts are deleted: an upload that was under way then leaves nothing behind.

CREATE TABLE erased_owners (
  owner_id uuid CONSTRAINT erased_owners_pkey PRIMARY KEY,
  erased_at timestamptz NOT NULL DEFAULT now());
CREATE INDEX files_unfinished ON files (owner_id) WHERE state IN ('uploading', 'abandoned');
