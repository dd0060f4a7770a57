/**
 * Puts a table under the kit, and takes it out.
 *
 * The policy that asks for the tenant is restrictive: no other policy of the table can widen it.
 * Some permissive policy has to let rows pass at all; where the table has none of its own, the kit
 * adds one.
 */
export const PROTECT = `
-- A table, its partitions, and the tables that inherit from it.
CREATE OR REPLACE FUNCTION pgusher.kit_family(relation regclass) RETURNS SETOF regclass
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  WITH RECURSIVE family(member) AS (
    SELECT relation::oid
    UNION
    SELECT inhrelid FROM pg_inherits JOIN family ON inhparent = member)
  SELECT member::regclass FROM family
$$;

CREATE OR REPLACE FUNCTION pgusher.kit_check_table(member regclass) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  kind "char";
  persistence "char";
BEGIN
  SELECT relkind, relpersistence INTO kind, persistence FROM pg_class WHERE oid = member;
  IF kind = 'f' THEN
    RAISE EXCEPTION '% can not be protected: it is a foreign table', member
      USING ERRCODE = 'wrong_object_type',
        HINT = 'Postgres has no row security there. Protect the table on its own server.';
  ELSIF kind NOT IN ('r', 'p') THEN
    RAISE EXCEPTION '% can not be protected: it is no table', member
      USING ERRCODE = 'wrong_object_type', HINT = 'Protect the tables that a view reads.';
  ELSIF persistence = 't' THEN
    RAISE EXCEPTION '% can not be protected: it is a temporary table', member
      USING ERRCODE = 'wrong_object_type';
  END IF;
END
$$;

-- The function that gives the tenant in the type of a column.
CREATE OR REPLACE FUNCTION pgusher.kit_source(relation regclass, tenant_column name) RETURNS name
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  attribute pg_attribute;
  base regtype;
BEGIN
  SELECT * INTO attribute FROM pg_attribute
    WHERE attrelid = relation AND attname = tenant_column AND attnum > 0 AND NOT attisdropped;
  IF NOT FOUND THEN
    RAISE EXCEPTION '% has no column %', relation, tenant_column USING ERRCODE = 'undefined_column';
  END IF;
  IF attribute.attidentity <> '' OR attribute.attgenerated <> '' THEN
    RAISE EXCEPTION 'column % of % is generated: it takes no default', tenant_column, relation
      USING ERRCODE = 'wrong_object_type';
  END IF;
  IF EXISTS (SELECT FROM pg_collation WHERE oid = attribute.attcollation AND NOT collisdeterministic)
  THEN
    RAISE EXCEPTION 'column % of % takes different ids for equal', tenant_column, relation
      USING ERRCODE = 'datatype_mismatch', HINT = 'Give it a deterministic collation.';
  END IF;
  base := attribute.atttypid;
  WHILE (SELECT typtype FROM pg_type WHERE oid = base) = 'd' LOOP
    base := (SELECT typbasetype FROM pg_type WHERE oid = base);
  END LOOP;
  CASE
    WHEN base IN ('text'::regtype, 'varchar'::regtype) THEN RETURN 'tenant_id';
    WHEN base = 'uuid'::regtype THEN RETURN 'tenant_uuid';
    WHEN base IN ('bigint'::regtype, 'integer'::regtype, 'smallint'::regtype) THEN
      RETURN 'tenant_bigint';
    ELSE
      RAISE EXCEPTION 'column % of % is of type %', tenant_column, relation, base
        USING ERRCODE = 'datatype_mismatch',
          HINT = 'A tenant column is of type text, varchar, uuid, bigint, integer or smallint.';
  END CASE;
END
$$;

CREATE OR REPLACE FUNCTION pgusher.protect(relation regclass, tenant_column name) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET client_min_messages = warning
AS $$
DECLARE
  member regclass;
  source name;
  condition text;
BEGIN
  IF EXISTS (SELECT FROM pg_inherits WHERE inhrelid = relation) THEN
    RAISE EXCEPTION '% is part of another table', relation
      USING ERRCODE = 'wrong_object_type', HINT = 'Protect that one: its parts are protected with it.';
  END IF;
  -- Before the catalogs are asked, so that nothing changes in between.
  PERFORM pgusher.kit_check_table(relation);
  EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', relation);
  source := pgusher.kit_source(relation, tenant_column);
  condition := format('%I = (SELECT pgusher.%I())', tenant_column, source);
  FOR member IN SELECT * FROM pgusher.kit_family(relation) LOOP
    PERFORM pgusher.kit_check_table(member);
  END LOOP;
  PERFORM pgusher.unprotect(relation);
  FOR member IN SELECT * FROM pgusher.kit_family(relation) LOOP
    EXECUTE format('ALTER TABLE ONLY %s ALTER COLUMN %I SET DEFAULT pgusher.%I()',
      member, tenant_column, source);
    EXECUTE format('CREATE POLICY pgusher_tenant ON %s AS RESTRICTIVE FOR ALL TO PUBLIC
      USING (%s) WITH CHECK (%s)', member, condition, condition);
    IF NOT EXISTS (SELECT FROM pg_policy WHERE polrelid = member AND polpermissive) THEN
      EXECUTE format('CREATE POLICY pgusher_rows ON %s AS PERMISSIVE FOR ALL TO PUBLIC
        USING (true) WITH CHECK (true)', member);
    END IF;
    EXECUTE format('ALTER TABLE ONLY %s ENABLE ROW LEVEL SECURITY', member);
    EXECUTE format('ALTER TABLE ONLY %s FORCE ROW LEVEL SECURITY', member);
  END LOOP;
END
$$;

-- Policies of others stay as they are, and row security with them.
CREATE OR REPLACE FUNCTION pgusher.unprotect(relation regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET client_min_messages = warning
  SET quote_all_identifiers = off
AS $$
DECLARE
  member regclass;
  own_default name;
BEGIN
  FOR member IN SELECT * FROM pgusher.kit_family(relation) LOOP
    CONTINUE WHEN (SELECT relkind FROM pg_class WHERE oid = member) NOT IN ('r', 'p');
    CONTINUE WHEN NOT EXISTS (
      SELECT FROM pg_policy WHERE polrelid = member AND polname = 'pgusher_tenant');
    EXECUTE format('DROP POLICY pgusher_tenant ON %s', member);
    EXECUTE format('DROP POLICY IF EXISTS pgusher_rows ON %s', member);
    FOR own_default IN
      SELECT attname FROM pg_attrdef JOIN pg_attribute ON attrelid = adrelid AND attnum = adnum
      WHERE adrelid = member
        AND pg_get_expr(adbin, adrelid) ~ '^pgusher[.]tenant_(id|uuid|bigint)[(][)]$'
    LOOP
      EXECUTE format('ALTER TABLE ONLY %s ALTER COLUMN %I DROP DEFAULT', member, own_default);
    END LOOP;
    IF NOT EXISTS (SELECT FROM pg_policy WHERE polrelid = member) THEN
      EXECUTE format('ALTER TABLE ONLY %s NO FORCE ROW LEVEL SECURITY', member);
      EXECUTE format('ALTER TABLE ONLY %s DISABLE ROW LEVEL SECURITY', member);
    END IF;
  END LOOP;
END
$$;

REVOKE EXECUTE ON FUNCTION pgusher.kit_family(regclass), pgusher.kit_check_table(regclass),
  pgusher.kit_source(regclass, name), pgusher.protect(regclass, name),
  pgusher.unprotect(regclass) FROM PUBLIC;
`
