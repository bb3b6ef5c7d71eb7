-- name: database_exists
-- Tells whether there is a database of the given name.
SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1);

-- name: create_database_statement
-- The statement that creates a database, with its name quoted; parameters cannot name one.
SELECT format('CREATE DATABASE %I', $1::text);

-- name: name_service
-- Tells provision_service which service it is for, and its role's password.
SELECT
    set_config('freehold.service', $1, false),
    set_config('freehold.password', $2, false);

-- name: provision_service
-- Makes the role and the schema of one service, or sets them right again.
DO $$
DECLARE
    service text := current_setting('freehold.service');
    role text := 'freehold_' || service;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
        EXECUTE format('CREATE ROLE %I', role);
    END IF;
    EXECUTE format('ALTER ROLE %I LOGIN PASSWORD %L', role, current_setting('freehold.password'));
    -- Too low and a large migration is cut off; too high and one statement holds others up.
    EXECUTE format('ALTER ROLE %I SET statement_timeout = ''30s''', role);
    EXECUTE format('ALTER ROLE %I SET lock_timeout = ''10s''', role);
    EXECUTE format('ALTER ROLE %I SET idle_in_transaction_session_timeout = ''60s''', role);
    EXECUTE format('ALTER ROLE %I SET search_path = %I', role, service);
    -- Who is no superuser has to be a member of a role to give something to it.
    IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
        EXECUTE format('GRANT %I TO CURRENT_USER', role);
    END IF;
    EXECUTE format('CREATE SCHEMA IF NOT EXISTS %I AUTHORIZATION %I', service, role);
    EXECUTE format('REVOKE ALL ON SCHEMA %I FROM PUBLIC', service);
END
$$;

-- name: close_public_schema
-- Nobody shares tables by accident.
REVOKE ALL ON SCHEMA public FROM PUBLIC;
