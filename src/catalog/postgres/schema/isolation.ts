/**
 * Levels of isolation, and server logins of single tenants. A level may also come from the server
 * or from a proxy's configuration: what such a tenant lacks, the proxy refuses.
 */
export const ISOLATION = String.raw`
CREATE FUNCTION pgusher.is_isolation(value jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT pgusher.has_only_keys(value, '{level}')
    AND coalesce(value -> 'level' IN ('"convenience"', '"guarded"', '"sealed"'), true)
$$;

CREATE FUNCTION pgusher.is_server_login(value jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT pgusher.has_only_keys(value, '{user}')
    AND coalesce(pgusher.is_identifier(value -> 'user'), false)
$$;

CREATE OR REPLACE FUNCTION pgusher.are_secrets(secrets jsonb, url_place text) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT CASE WHEN jsonb_typeof(secrets) = 'object' THEN NOT EXISTS (
      SELECT FROM jsonb_each(secrets) AS entries(place, envelope)
      WHERE NOT (place IN (url_place, 'authQuery.url') OR place ~ '^users\..'
                 OR url_place = 'databaseUrl' AND place = 'serverLogin')
        OR jsonb_typeof(envelope) <> 'string'
        OR envelope #>> '{}' !~
          '^v1:[A-Za-z0-9_-]{1,32}:[A-Za-z0-9_-]{16}:[A-Za-z0-9_-]{22}:[A-Za-z0-9_-]+$')
    ELSE false
  END
$$;

ALTER TABLE pgusher.servers
  ADD COLUMN isolation jsonb,
  ADD CONSTRAINT servers_isolation_is_a_level CHECK (pgusher.is_isolation(isolation));

ALTER TABLE pgusher.tenants
  ADD COLUMN isolation jsonb,
  ADD COLUMN server_login jsonb,
  ADD COLUMN own_login text GENERATED ALWAYS AS (
    CASE WHEN position('*' IN name) = 0 THEN server_login ->> 'user' END) STORED,
  ADD CONSTRAINT tenants_have_a_server_login_of_their_own UNIQUE (server, own_login),
  ADD CONSTRAINT tenants_isolation_is_a_level CHECK (pgusher.is_isolation(isolation)),
  ADD CONSTRAINT tenants_of_strategy_database_are_sealed
    CHECK (strategy <> 'database' OR coalesce(isolation ->> 'level', 'sealed') = 'sealed'),
  ADD CONSTRAINT tenants_sealed_in_a_schema_have_a_server_login CHECK (
    strategy <> 'schema' OR server_login IS NOT NULL
    OR coalesce(isolation ->> 'level', '') <> 'sealed'),
  ADD CONSTRAINT tenants_sealed_in_a_schema_or_row_have_no_role CHECK (
    strategy = 'database' OR role IS NULL OR coalesce(isolation ->> 'level', '') <> 'sealed'),
  ADD CONSTRAINT tenants_sealed_in_rows_have_an_id_of_1_to_256_bytes CHECK (
    strategy <> 'row' OR octet_length(coalesce(id, name)) <= 256
    OR coalesce(isolation ->> 'level', '') <> 'sealed'),
  ADD CONSTRAINT tenants_server_login_is_a_user_without_password
    CHECK (pgusher.is_server_login(server_login)),
  ADD CONSTRAINT tenants_server_login_is_for_strategy_schema_or_row
    CHECK (strategy <> 'database' OR server_login IS NULL),
  ADD CONSTRAINT tenants_of_templates_have_server_logins_of_their_own CHECK (
    position('*' IN name) = 0 OR server_login IS NULL
    OR position('{tenant}' IN server_login ->> 'user') > 0),
  DROP CONSTRAINT tenants_pool_size_is_for_strategy_database,
  ADD CONSTRAINT tenants_pool_size_is_for_a_pool_of_their_own CHECK (
    strategy = 'database' OR server_login IS NOT NULL OR pool IS NULL OR pool -> 'size' IS NULL),
  DROP CONSTRAINT tenants_secrets_are_for_strategy_database,
  ADD CONSTRAINT tenants_secrets_are_for_strategy_database_or_server_login
    CHECK (strategy = 'database' OR secrets - 'serverLogin' = '{}'),
  ADD CONSTRAINT tenants_server_login_has_a_place_for_its_secret
    CHECK (server_login IS NOT NULL OR NOT secrets ? 'serverLogin');

-- What the unique constraint can't say: rows of servers may lead to one cluster, and have users.
CREATE FUNCTION pgusher.cluster_of(url text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$ SELECT substring(pgusher.database_of(url) FROM '^[^ ]* [^ ]*') $$;

CREATE FUNCTION pgusher.keep_server_logins_apart() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  clash record;
BEGIN
  EXECUTE format($query$
    WITH touched AS (
      SELECT tenant.name, tenant.own_login, near.name AS server, near.url, near.users
      FROM %s
      JOIN pgusher.servers AS near
        ON pgusher.cluster_of(near.url) = pgusher.cluster_of(server.url)
      WHERE tenant.own_login IS NOT NULL
    )
    SELECT touched.name, touched.own_login, 'tenant ' || other.name AS neighbour
    FROM touched
    JOIN pgusher.tenants AS other USING (server, own_login) WHERE touched.name <> other.name
    UNION ALL
    SELECT touched.name, touched.own_login, 'server ' || touched.server
    FROM touched
    WHERE touched.own_login = pgusher.user_of(touched.url)
      OR EXISTS (SELECT FROM jsonb_each(touched.users) AS entries(login, entry)
                 WHERE entry ->> 'user' = touched.own_login)
    LIMIT 1
    $query$,
    CASE TG_TABLE_NAME
      WHEN 'tenants' THEN 'new_rows AS tenant JOIN pgusher.servers AS server ON server.name = tenant.server'
      ELSE 'new_rows AS changed
        JOIN pgusher.servers AS server
          ON pgusher.cluster_of(server.url) = pgusher.cluster_of(changed.url)
        JOIN pgusher.tenants AS tenant ON tenant.server = server.name'
    END) INTO clash;
  IF clash.name IS NOT NULL THEN
    RAISE EXCEPTION 'tenant % would share the server login % with %',
      clash.name, clash.own_login, clash.neighbour
      USING ERRCODE = 'exclusion_violation', SCHEMA = 'pgusher', TABLE = 'tenants',
        CONSTRAINT = 'tenants_share_their_server_logins_with_nobody';
  END IF;
  RETURN NULL;
END
$$;
REVOKE EXECUTE ON FUNCTION pgusher.keep_server_logins_apart() FROM PUBLIC;

CREATE TRIGGER keep_server_logins_apart_insert AFTER INSERT ON pgusher.tenants
  REFERENCING NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION pgusher.keep_server_logins_apart();
CREATE TRIGGER keep_server_logins_apart_update AFTER UPDATE ON pgusher.tenants
  REFERENCING NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION pgusher.keep_server_logins_apart();
CREATE TRIGGER keep_server_logins_apart_insert AFTER INSERT ON pgusher.servers
  REFERENCING NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION pgusher.keep_server_logins_apart();
CREATE TRIGGER keep_server_logins_apart_update AFTER UPDATE ON pgusher.servers
  REFERENCING NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION pgusher.keep_server_logins_apart();
`
