-- Dead letters that a person can name, and the bytes of those that are no JSON.

ALTER TABLE dead_letters
  ADD COLUMN id uuid NOT NULL DEFAULT gen_random_uuid(),
  ADD COLUMN raw bytea,
  ALTER COLUMN body DROP NOT NULL,
  ADD CONSTRAINT dead_letters_has_content CHECK ((body IS NULL) <> (raw IS NULL));
CREATE UNIQUE INDEX dead_letters_id ON dead_letters (id);
CREATE INDEX dead_letters_consumer ON dead_letters (consumer, id);
