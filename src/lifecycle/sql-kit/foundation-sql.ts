/**
 * What the rest of the kit stands on: the schema, and tables that nobody but their owner reads.
 * It refuses a schema in which somebody else could have put a function or a table of that name.
 */
export const FOUNDATION = `
DO $$
DECLARE
  place record;
BEGIN
  IF getdatabaseencoding() <> 'UTF8' THEN
    RAISE EXCEPTION 'the encoding of the database must be UTF8, not %', getdatabaseencoding()
      USING ERRCODE = 'feature_not_supported';
  END IF;
  CREATE SCHEMA IF NOT EXISTS pgusher;
  FOR place IN
    SELECT 'schema pgusher' AS name, nspowner AS owner FROM pg_namespace
      WHERE oid = 'pgusher'::regnamespace
    UNION ALL
    SELECT oid::regclass::text, relowner FROM pg_class
      WHERE relnamespace = 'pgusher'::regnamespace
    UNION ALL
    SELECT oid::regprocedure::text, proowner FROM pg_proc
      WHERE pronamespace = 'pgusher'::regnamespace
  LOOP
    IF place.owner <> current_user::regrole THEN
      RAISE EXCEPTION '% belongs to %, not to %', place.name, place.owner::regrole, current_user
        USING ERRCODE = 'insufficient_privilege', HINT = 'Install the kit as the owner of the schema.';
    END IF;
  END LOOP;
END
$$;
REVOKE CREATE ON SCHEMA pgusher FROM PUBLIC;
GRANT USAGE ON SCHEMA pgusher TO PUBLIC;

CREATE TABLE IF NOT EXISTS pgusher.kit (
  is_only boolean NOT NULL DEFAULT true PRIMARY KEY CHECK (is_only),
  version integer NOT NULL,
  setting text NOT NULL
);

-- The pads are what HMAC makes of a key before it sees a message: as secret as the key.
CREATE TABLE IF NOT EXISTS pgusher.kit_keys (
  id text COLLATE "C" PRIMARY KEY CHECK (id ~ '^[A-Za-z0-9_-]{1,32}$'),
  inner_pad bytea NOT NULL CHECK (octet_length(inner_pad) = 64),
  outer_pad bytea NOT NULL CHECK (octet_length(outer_pad) = 64),
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL DEFAULT 'infinity'
);
-- Not forced, so that it leaves out everybody but the owner: also members of pg_read_all_data.
ALTER TABLE pgusher.kit_keys ENABLE ROW LEVEL SECURITY;

-- Default privileges may have granted what nobody wants.
DO $$
DECLARE
  granted record;
BEGIN
  FOR granted IN
    SELECT DISTINCT class.oid::regclass AS relation,
      CASE acl.grantee WHEN 0 THEN 'PUBLIC' ELSE acl.grantee::regrole::text END AS grantee
    FROM pg_class AS class, aclexplode(class.relacl) AS acl
    WHERE class.oid IN ('pgusher.kit'::regclass, 'pgusher.kit_keys'::regclass)
      AND acl.grantee <> class.relowner
  LOOP
    EXECUTE format('REVOKE ALL ON TABLE %s FROM %s CASCADE', granted.relation, granted.grantee);
  END LOOP;
END
$$;
`
