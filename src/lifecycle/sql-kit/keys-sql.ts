/** How the owner adds and ends keys. They run with the rights of the caller. */
export const KEYS = `
CREATE OR REPLACE FUNCTION pgusher.kit_pad(secret bytea, mask integer) RETURNS bytea
LANGUAGE sql IMMUTABLE STRICT SET search_path = pg_catalog, pg_temp
AS $$
  SELECT string_agg(decode(lpad(to_hex(get_byte(padded, place) # mask), 2, '0'), 'hex'), ''
                    ORDER BY place)
  FROM (SELECT secret || decode(repeat('00', 64 - octet_length(secret)), 'hex') AS padded) AS block,
    generate_series(0, 63) AS places(place)
$$;

-- A key that is there already gets the new end; another key of its id is refused.
CREATE OR REPLACE FUNCTION pgusher.add_key(
  key_id text, secret bytea, expires_at timestamptz DEFAULT 'infinity') RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF octet_length(secret) IS DISTINCT FROM 32 THEN
    RAISE EXCEPTION 'a key has 32 bytes' USING ERRCODE = 'invalid_parameter_value';
  END IF;
  INSERT INTO pgusher.kit_keys AS present (id, inner_pad, outer_pad, expires_at)
    VALUES (key_id, pgusher.kit_pad(secret, 54), pgusher.kit_pad(secret, 92), add_key.expires_at)
    ON CONFLICT (id) DO UPDATE SET expires_at = EXCLUDED.expires_at
    WHERE present.inner_pad = EXCLUDED.inner_pad;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'there is another key with the id %', key_id
      USING ERRCODE = 'unique_violation';
  END IF;
END
$$;

CREATE OR REPLACE FUNCTION pgusher.expire_key(key_id text, at timestamptz DEFAULT now())
RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  UPDATE pgusher.kit_keys SET expires_at = at WHERE id = key_id;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'there is no key with the id %', key_id USING ERRCODE = 'undefined_object';
  END IF;
END
$$;

REVOKE EXECUTE ON FUNCTION pgusher.kit_pad(bytea, integer),
  pgusher.add_key(text, bytea, timestamptz), pgusher.expire_key(text, timestamptz) FROM PUBLIC;
`
