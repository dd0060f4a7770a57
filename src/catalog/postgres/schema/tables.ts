/**
 * The tables. Each constraint is named after what it wants, since that is what a writer is told.
 * Columns that are generated are for constraints: what a tenant has for itself.
 */
export const TABLES = String.raw`
CREATE TABLE pgusher.state (
  is_only boolean NOT NULL DEFAULT true CONSTRAINT state_has_one_row PRIMARY KEY,
  version bigint NOT NULL,
  CONSTRAINT state_row_is_the_only_one CHECK (is_only)
);
INSERT INTO pgusher.state (version) VALUES (1);

CREATE TABLE pgusher.servers (
  name text COLLATE "C" CONSTRAINT servers_are_told_apart_by_name PRIMARY KEY,
  url text NOT NULL,
  pool_size integer,
  users jsonb,
  server_user text,
  auth_query jsonb,
  secrets jsonb NOT NULL DEFAULT '{}',
  secrets_version integer NOT NULL DEFAULT 0,
  version bigint NOT NULL,
  updated_at timestamptz NOT NULL,
  CONSTRAINT servers_name_is_not_empty CHECK (name <> ''),
  CONSTRAINT servers_url_is_a_server_url CHECK (pgusher.is_server_url(url)),
  CONSTRAINT servers_url_holds_no_password CHECK (pgusher.holds_no_password(url)),
  CONSTRAINT servers_pool_size_is_from_1_to_10000 CHECK (pool_size BETWEEN 1 AND 10000),
  CONSTRAINT servers_users_map_logins_to_users_without_passwords
    CHECK (pgusher.are_server_users(users)),
  CONSTRAINT servers_server_user_is_route_or_client CHECK (server_user IN ('route', 'client')),
  CONSTRAINT servers_auth_query_is_one_without_password CHECK (pgusher.is_auth_query(auth_query)),
  CONSTRAINT servers_secrets_are_envelopes_by_place CHECK (secrets = '{}' OR pgusher.are_secrets(secrets, 'url')),
  CONSTRAINT servers_secrets_have_places_in_the_row
    CHECK (secrets = '{}' OR pgusher.have_places(secrets, users, auth_query))
);

CREATE TABLE pgusher.tenants (
  name text COLLATE "C" CONSTRAINT tenants_are_told_apart_by_name PRIMARY KEY,
  id text,
  status text NOT NULL DEFAULT 'active',
  strategy text NOT NULL,
  database_url text,
  server text COLLATE "C" CONSTRAINT tenants_server_is_in_servers
    REFERENCES pgusher.servers (name) ON UPDATE CASCADE,
  schema text,
  search_path text[],
  role text,
  users jsonb,
  server_user text,
  auth_query jsonb,
  replication text NOT NULL DEFAULT 'none',
  settings jsonb,
  pool jsonb,
  timeouts jsonb,
  limits jsonb,
  labels jsonb,
  secrets jsonb NOT NULL DEFAULT '{}',
  secrets_version integer NOT NULL DEFAULT 0,
  version bigint NOT NULL,
  updated_at timestamptz NOT NULL,
  is_template boolean NOT NULL GENERATED ALWAYS AS (position('*' IN name) > 0) STORED,
  own_database text GENERATED ALWAYS AS (
    CASE WHEN strategy = 'database' AND position('*' IN name) = 0 THEN
      pgusher.database_of(database_url) || ' '
      || CASE WHEN server_user = 'client' THEN '' ELSE pgusher.user_of(database_url) END
    END) STORED,
  own_schema text GENERATED ALWAYS AS (
    CASE WHEN strategy = 'schema' AND position('*' IN name) = 0 THEN
      coalesce(schema, 'tenant_' || name)
    END) STORED,
  own_id text GENERATED ALWAYS AS (
    CASE WHEN strategy = 'row' AND position('*' IN name) = 0 THEN coalesce(id, name) END) STORED,
  extra_schemas text[] GENERATED ALWAYS AS (
    CASE strategy
      WHEN 'row' THEN coalesce(search_path, '{public}')
      WHEN 'schema' THEN search_path
    END) STORED,
  CONSTRAINT tenants_have_a_database_and_login_of_their_own UNIQUE (own_database),
  CONSTRAINT tenants_have_a_schema_of_their_own UNIQUE (server, own_schema),
  CONSTRAINT tenants_have_an_id_of_their_own UNIQUE (server, own_id),
  CONSTRAINT tenants_name_is_a_tag_or_a_pattern CHECK (pgusher.is_tenant_name(name)),
  CONSTRAINT tenants_id_is_not_empty CHECK (id <> ''),
  CONSTRAINT tenants_status_is_active_or_suspended CHECK (status IN ('active', 'suspended')),
  CONSTRAINT tenants_are_of_strategy_database_schema_or_row
    CHECK (strategy IN ('database', 'schema', 'row')),
  CONSTRAINT tenants_of_strategy_database_have_a_database_url
    CHECK (strategy <> 'database' OR database_url IS NOT NULL),
  CONSTRAINT tenants_database_url_is_for_strategy_database
    CHECK (strategy = 'database' OR database_url IS NULL),
  CONSTRAINT tenants_database_url_is_a_server_url CHECK (pgusher.is_server_url(database_url)),
  CONSTRAINT tenants_database_url_holds_no_password
    CHECK (pgusher.holds_no_password(database_url)),
  CONSTRAINT tenants_of_strategy_schema_or_row_have_a_server
    CHECK (strategy = 'database' OR server IS NOT NULL),
  CONSTRAINT tenants_server_is_for_strategy_schema_or_row
    CHECK (strategy <> 'database' OR server IS NULL),
  CONSTRAINT tenants_schema_is_for_strategy_schema CHECK (strategy = 'schema' OR schema IS NULL),
  CONSTRAINT tenants_schema_is_a_name_of_1_to_63_bytes
    CHECK (strategy <> 'schema' OR pgusher.is_identifier(coalesce(schema, 'tenant_' || name))),
  CONSTRAINT tenants_schema_is_none_of_postgres
    CHECK (schema !~ '^pg_' AND schema NOT IN ('$user', 'information_schema')),
  CONSTRAINT tenants_search_path_is_for_strategy_schema_or_row
    CHECK (strategy <> 'database' OR search_path IS NULL),
  CONSTRAINT tenants_search_path_is_of_names CHECK (pgusher.are_identifiers(search_path)),
  CONSTRAINT tenants_role_is_a_name CHECK (pgusher.is_identifier(role)),
  CONSTRAINT tenants_users_are_for_strategy_database
    CHECK (strategy = 'database' OR users IS NULL),
  CONSTRAINT tenants_users_map_logins_to_users_without_passwords
    CHECK (pgusher.are_server_users(users)),
  CONSTRAINT tenants_server_user_is_for_strategy_database
    CHECK (strategy = 'database' OR server_user IS NULL),
  CONSTRAINT tenants_server_user_is_route_or_client CHECK (server_user IN ('route', 'client')),
  CONSTRAINT tenants_auth_query_is_for_strategy_database
    CHECK (strategy = 'database' OR auth_query IS NULL),
  CONSTRAINT tenants_auth_query_is_one_without_password CHECK (pgusher.is_auth_query(auth_query)),
  CONSTRAINT tenants_replication_is_none_database_or_physical
    CHECK (replication IN ('none', 'database', 'physical')),
  CONSTRAINT tenants_replication_is_for_strategy_database
    CHECK (strategy = 'database' OR replication = 'none'),
  CONSTRAINT tenants_settings_are_values_by_name CHECK (pgusher.are_settings(settings)),
  CONSTRAINT tenants_settings_leave_the_link_alone
    CHECK (pgusher.leave_the_link_alone(settings, strategy)),
  CONSTRAINT tenants_pool_is_as_in_the_configuration CHECK (pgusher.is_pool(pool)),
  CONSTRAINT tenants_pool_size_is_for_strategy_database
    CHECK (strategy = 'database' OR pool IS NULL OR pool -> 'size' IS NULL),
  CONSTRAINT tenants_timeouts_are_milliseconds CHECK (
    pgusher.are_milliseconds(timeouts, '{waitMs,idleClientMs,idleInTransactionMs,queryMs}')),
  CONSTRAINT tenants_limits_are_from_0_to_1000000 CHECK (pgusher.are_limits(limits)),
  CONSTRAINT tenants_labels_are_texts_by_name CHECK (pgusher.are_labels(labels)),
  CONSTRAINT tenants_secrets_are_for_strategy_database
    CHECK (strategy = 'database' OR secrets = '{}'),
  CONSTRAINT tenants_secrets_are_envelopes_by_place
    CHECK (secrets = '{}' OR pgusher.are_secrets(secrets, 'databaseUrl')),
  CONSTRAINT tenants_secrets_have_places_in_the_row
    CHECK (secrets = '{}' OR pgusher.have_places(secrets, users, auth_query)),
  CONSTRAINT tenants_templates_keep_their_tenants_apart CHECK (
    position('*' IN name) = 0
    OR CASE strategy
      WHEN 'database' THEN position('{tenant}' IN database_url) > 0
      WHEN 'schema' THEN schema IS NULL OR position('{tenant}' IN schema) > 0
      ELSE id IS NULL OR position('{tenant}' IN id) > 0
    END)
);
CREATE INDEX tenants_templates ON pgusher.tenants (name) WHERE is_template;
-- Each writer looks into it, and would have to read all that is pending.
CREATE INDEX tenants_extra_schemas ON pgusher.tenants USING gin (extra_schemas)
  WITH (fastupdate = off);

CREATE TABLE pgusher.logins (
  "user" text COLLATE "C" CONSTRAINT logins_are_told_apart_by_user PRIMARY KEY,
  secret text,
  has_all_tenants boolean NOT NULL DEFAULT false,
  version bigint NOT NULL,
  updated_at timestamptz NOT NULL,
  CONSTRAINT logins_user_is_a_name_of_1_to_63_bytes CHECK (pgusher.is_identifier("user")),
  CONSTRAINT logins_user_star_has_no_secret CHECK ("user" <> '*' OR secret IS NULL),
  CONSTRAINT logins_secret_is_a_scram_verifier_or_an_md5_hash CHECK (
    secret ~ '^md5[0-9a-f]{32}$'
    OR secret ~ '^SCRAM-SHA-256\$[1-9][0-9]{0,8}:([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?\$[A-Za-z0-9+/]{43}=:[A-Za-z0-9+/]{43}=$')
);

CREATE TABLE pgusher.grants (
  "user" text COLLATE "C" NOT NULL CONSTRAINT grants_user_is_in_logins
    REFERENCES pgusher.logins ("user") ON DELETE CASCADE ON UPDATE CASCADE,
  tenant text COLLATE "C" NOT NULL CONSTRAINT grants_tenant_is_in_tenants
    REFERENCES pgusher.tenants (name) ON DELETE CASCADE ON UPDATE CASCADE,
  CONSTRAINT grants_are_given_once PRIMARY KEY (tenant, "user")
);
CREATE INDEX grants_of_user ON pgusher.grants ("user");
`
