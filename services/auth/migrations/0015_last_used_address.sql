-- Where a session was refreshed last; null until then. It is written with the refresh itself.
ALTER TABLE sessions ADD COLUMN last_used_address inet;
