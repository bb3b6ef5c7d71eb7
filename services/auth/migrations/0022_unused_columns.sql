-- Nothing reads these any more and nothing new writes them; the release before still does. They are
-- dropped when that one is not left anywhere.
ALTER TABLE api_keys ALTER COLUMN prefix DROP NOT NULL;
ALTER TABLE revocations ALTER COLUMN user_id DROP NOT NULL;
ALTER TABLE signing_keys ALTER COLUMN public_key DROP NOT NULL;
