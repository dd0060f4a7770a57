/**
 * Functions for the constraints of the tables: what each value may look like. They keep to what
 * `src/catalog/documents/` accepts, so that a bad row is refused when it is written. Strict, since
 * most columns of most rows are NULL.
 */
export const CHECKS = String.raw`
CREATE FUNCTION pgusher.is_identifier(value text) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$ SELECT octet_length(value) BETWEEN 1 AND 63 $$;

CREATE FUNCTION pgusher.is_identifier(value jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$ SELECT jsonb_typeof(value) = 'string' AND octet_length(value #>> '{}') BETWEEN 1 AND 63 $$;

CREATE FUNCTION pgusher.are_identifiers(value text[]) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT coalesce(array_ndims(value), 1) = 1
    AND (SELECT coalesce(bool_and(coalesce(octet_length(name), 0) BETWEEN 1 AND 63), true)
         FROM unnest(value) AS names(name))
$$;

CREATE FUNCTION pgusher.is_setting_name(value text) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$ SELECT value ~ '^[A-Za-z_][A-Za-z0-9_$]*(\.[A-Za-z_][A-Za-z0-9_$]*)*$' $$;

CREATE FUNCTION pgusher.is_tenant_name(value text) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT length(value) <= 63 AND value ~
    '^([a-z0-9]([a-z0-9_-]*[a-z0-9])?|([a-z0-9][a-z0-9_-]*)?\*([a-z0-9_-]*[a-z0-9])?)$'
$$;

-- A key that is not there is no fault: what is asked of NULL leaves the check undecided.
CREATE FUNCTION pgusher.is_whole_number(value jsonb, low bigint, high bigint) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT CASE jsonb_typeof(value)
    WHEN 'number' THEN trunc(value::numeric) = value::numeric AND value::numeric BETWEEN low AND high
    ELSE false
  END
$$;

CREATE FUNCTION pgusher.has_only_keys(value jsonb, keys text[]) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT CASE WHEN jsonb_typeof(value) = 'object' THEN value - keys = '{}' ELSE false END
$$;

CREATE FUNCTION pgusher.are_milliseconds(value jsonb, keys text[]) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT pgusher.has_only_keys(value, keys)
    AND NOT EXISTS (SELECT FROM unnest(keys) AS names(key)
                    WHERE NOT pgusher.is_whole_number(value -> key, 0, 2147483647))
$$;

CREATE FUNCTION pgusher.is_server_url(url text) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT url ~ ('^postgres(ql)?://[^@/?#:]+(:[^@/?#]*)?@(\[[^]/?#@]+\]|[^]:/?#@,[]*)(:[0-9]{0,5})?/[^?#]+'
      || '(\?' || parameter || '(&' || parameter || ')*)?$')
    AND url !~ '%(?![0-9A-Fa-f]{2})'
    AND url ~ '(@[^:/?]|[?&]host=[^&])'
    AND coalesce(substring(url FROM '@[^/]*:([0-9]{1,5})/')::int, 5432) BETWEEN 1 AND 65535
  FROM (VALUES ('(sslmode|channel_binding|sslnegotiation|sslsni|sslrootcert|sslcert|sslkey'
    || '|host|port)=[^&#,]*')) AS patterns(parameter)
$$;

CREATE FUNCTION pgusher.holds_no_password(url text) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$ SELECT url !~ '^[^/]*//[^@/?#:]*:[^@/?#]+@' $$;

-- Which database a URL leads to, to tell two that are the same.
CREATE FUNCTION pgusher.database_of(url text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT lower(coalesce(substring(url FROM '[?&]host=([^&]*)'),
                        substring(url FROM '@\[?([^]/?:]*|[^]/?]*(?=\]))')))
    || ' ' || coalesce(substring(url FROM '[?&]port=([0-9]+)'),
                       substring(url FROM '@[^/]*:([0-9]{1,5})/'), '5432')
    || ' ' || substring(url FROM '@[^/]*/([^?#]*)')
$$;

CREATE FUNCTION pgusher.user_of(url text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$ SELECT substring(url FROM '^[^/]*//([^@/?#:]*)') $$;

CREATE FUNCTION pgusher.are_server_users(users jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT CASE WHEN jsonb_typeof(users) = 'object' THEN NOT EXISTS (
      SELECT FROM jsonb_each(users) AS entries(login, entry)
      WHERE (pgusher.is_identifier(login) AND pgusher.has_only_keys(entry, '{user}')
             AND pgusher.is_identifier(entry -> 'user')) IS NOT TRUE)
    ELSE false
  END
$$;

CREATE FUNCTION pgusher.is_auth_query(value jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT pgusher.has_only_keys(value, '{url,query,cacheMs,timeoutMs,maxConnections}')
    AND jsonb_typeof(coalesce(value -> 'url', '""')) = 'string'
    AND coalesce(pgusher.is_server_url(value ->> 'url'), true)
    AND coalesce(pgusher.holds_no_password(value ->> 'url'), true)
    AND jsonb_typeof(coalesce(value -> 'query', '""')) = 'string'
    AND coalesce(value ->> 'query' ~ '\$1(?![0-9])', true)
    AND pgusher.is_whole_number(value -> 'cacheMs', 0, 2147483647)
    AND pgusher.is_whole_number(value -> 'timeoutMs', 1, 2147483647)
    AND pgusher.is_whole_number(value -> 'maxConnections', 1, 100)
$$;

CREATE FUNCTION pgusher.are_secrets(secrets jsonb, url_place text) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT CASE WHEN jsonb_typeof(secrets) = 'object' THEN NOT EXISTS (
      SELECT FROM jsonb_each(secrets) AS entries(place, envelope)
      WHERE NOT (place IN (url_place, 'authQuery.url') OR place ~ '^users\..')
        OR jsonb_typeof(envelope) <> 'string'
        OR envelope #>> '{}' !~
          '^v1:[A-Za-z0-9_-]{1,32}:[A-Za-z0-9_-]{16}:[A-Za-z0-9_-]{22}:[A-Za-z0-9_-]+$')
    ELSE false
  END
$$;

CREATE FUNCTION pgusher.have_places(secrets jsonb, users jsonb, auth_query jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT CASE WHEN jsonb_typeof(secrets) = 'object' THEN NOT EXISTS (
      SELECT FROM jsonb_object_keys(secrets) AS places(place)
      WHERE starts_with(place, 'users.') AND NOT coalesce(users ? substr(place, 7), false)
        OR place = 'authQuery.url' AND NOT coalesce(auth_query ? 'url', false))
    ELSE true
  END
$$;

CREATE FUNCTION pgusher.are_settings(settings jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT CASE WHEN jsonb_typeof(settings) = 'object' THEN NOT EXISTS (
      SELECT FROM jsonb_each(settings) AS entries(name, value)
      WHERE NOT pgusher.is_setting_name(name)
        OR jsonb_typeof(value) NOT IN ('string', 'number', 'boolean'))
    ELSE false
  END
$$;

-- Settings that belong to the link of a tenant must not be set by the way.
CREATE FUNCTION pgusher.leave_the_link_alone(settings jsonb, strategy text) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT CASE WHEN jsonb_typeof(settings) = 'object' THEN NOT EXISTS (
      SELECT FROM jsonb_object_keys(settings) AS names(name)
      WHERE lower(name) IN ('role', 'session_authorization')
        OR starts_with(lower(name), 'pgusher.')
        OR strategy <> 'database' AND lower(name) = 'search_path')
    ELSE true
  END
$$;

CREATE FUNCTION pgusher.is_pool(value jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT pgusher.has_only_keys(value, '{mode,size,pins,carriedSettings}')
    AND coalesce(value -> 'mode' IN ('"transaction"', '"session"'), true)
    AND coalesce(value -> 'pins' IN ('"allow"', '"refuse"'), true)
    AND pgusher.is_whole_number(value -> 'size', 1, 10000)
    AND CASE jsonb_typeof(value -> 'carriedSettings')
      WHEN 'array' THEN NOT EXISTS (
        SELECT FROM jsonb_array_elements(value -> 'carriedSettings') AS names(name)
        WHERE jsonb_typeof(name) <> 'string' OR NOT pgusher.is_setting_name(name #>> '{}'))
      ELSE value -> 'carriedSettings' IS NULL
    END
$$;

CREATE FUNCTION pgusher.are_limits(value jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT pgusher.has_only_keys(value, '{maxClients,maxReplication}')
    AND pgusher.is_whole_number(value -> 'maxClients', 0, 1000000)
    AND pgusher.is_whole_number(value -> 'maxReplication', 0, 1000000)
$$;

CREATE FUNCTION pgusher.are_labels(labels jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT CASE WHEN jsonb_typeof(labels) = 'object' THEN NOT EXISTS (
      SELECT FROM jsonb_each(labels) AS entries(name, value) WHERE jsonb_typeof(value) <> 'string')
    ELSE false
  END
$$;
`
