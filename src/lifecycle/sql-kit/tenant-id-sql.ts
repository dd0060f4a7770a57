import { quoteLiteral } from '../../sql/quote.ts'

/**
 * Who the tenant is: what policies ask. `src/tenancy/tenant-token.ts` says what a token looks like.
 *
 * - Nothing of a token is read before its MAC was found right, but the id of the key: so no text
 *   can make it raise an error. No EXCEPTION blocks, which could not run in parallel queries.
 * - Hashes of both MACs are compared: what the time of a comparison tells is of no use.
 * - `now()` is the beginning of the transaction: a tenant does not vanish in the midst of one.
 * - PARALLEL RESTRICTED: a worker has another process id than the one that a token is for.
 * - No backslashes but in E'': sessions may read it with `standard_conforming_strings = off`.
 *
 * @param setting - Name of the one that holds the token.
 */
export function tenantIdSql(setting: string): string {
  // A dollar sign, which names may have, must not end the body of the function.
  const name = quoteLiteral(setting).replaceAll('$', '\\u0024')
  return `
CREATE OR REPLACE FUNCTION pgusher.tenant_id() RETURNS text
LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  token text := current_setting(${name}, true);
  keyed record;
BEGIN
  IF octet_length(token) BETWEEN 100 AND 1024 THEN
    SELECT keys.inner_pad, keys.outer_pad INTO keyed FROM pgusher.kit_keys AS keys
      WHERE keys.id = split_part(token, '.', 4) AND keys.expires_at > now();
    IF FOUND
      AND sha256(convert_to(right(token, 64), 'UTF8')) = sha256(convert_to(encode(
        sha256(keyed.outer_pad || sha256(keyed.inner_pad
          || convert_to(left(token, -64) || pg_backend_pid()::text, 'UTF8'))), 'hex'), 'UTF8'))
    THEN
      IF to_timestamp(split_part(token, '.', 2)::float8 / 1000) > now() THEN
        RETURN convert_from(decode(split_part(token, '.', 1), 'hex'), 'UTF8');
      END IF;
    END IF;
  END IF;
  RETURN NULL;
END
$$;

-- For columns of other types. One spelling of each value: two ids never mean the same rows.
CREATE OR REPLACE FUNCTION pgusher.tenant_uuid() RETURNS uuid
LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  id text := pgusher.tenant_id();
BEGIN
  IF id ~ '^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$' THEN
    RETURN id::uuid;
  END IF;
  RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION pgusher.tenant_bigint() RETURNS bigint
LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  id text := pgusher.tenant_id();
BEGIN
  IF id ~ '^(0|-?[1-9][0-9]{0,18})$' THEN
    IF id::numeric BETWEEN -9223372036854775808 AND 9223372036854775807 THEN
      RETURN id::bigint;
    END IF;
  END IF;
  RETURN NULL;
END
$$;

GRANT EXECUTE ON FUNCTION pgusher.tenant_id(), pgusher.tenant_uuid(), pgusher.tenant_bigint()
  TO PUBLIC;
`
}
