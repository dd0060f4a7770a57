/**
 * Finds what is open. A tenant column is one of that name, or one that a protected table asks for
 * its tenant. Views run with the rights of their owners: since the kit's policy is the same for
 * all roles, only those of owners that pass row security by let rows out.
 */
export const UNPROTECTED = `
CREATE OR REPLACE FUNCTION pgusher.kit_tenant_tables(tenant_column name) RETURNS SETOF pg_class
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT class.* FROM pg_class AS class
  JOIN pg_namespace AS space ON space.oid = class.relnamespace
  WHERE class.relkind IN ('r', 'p', 'f')
    AND class.relpersistence <> 't'
    AND space.nspname NOT IN ('pg_catalog', 'information_schema', 'pgusher')
    AND EXISTS (
      SELECT FROM pg_attribute
      WHERE attrelid = class.oid AND attnum > 0 AND NOT attisdropped
        AND (attname = tenant_column OR attname IN (
          SELECT asked.attname FROM pg_policy AS policy
          JOIN pg_depend AS link ON link.classid = 'pg_policy'::regclass AND link.objid = policy.oid
            AND link.refclassid = 'pg_class'::regclass AND link.refobjid = policy.polrelid
          JOIN pg_attribute AS asked ON asked.attrelid = link.refobjid
            AND asked.attnum = link.refobjsubid
          WHERE policy.polname = 'pgusher_tenant' AND link.refobjsubid > 0)))
$$;

CREATE OR REPLACE FUNCTION pgusher.kit_fault(class pg_class) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET quote_all_identifiers = off
AS $$
  SELECT CASE
    WHEN class.relkind = 'f' THEN 'a foreign table has no row security'
    WHEN NOT EXISTS (SELECT FROM pg_policy
      WHERE polrelid = class.oid AND polname = 'pgusher_tenant') THEN 'it has no policy of the kit'
    WHEN NOT EXISTS (SELECT FROM pg_policy
      WHERE polrelid = class.oid AND polname = 'pgusher_tenant' AND NOT polpermissive
        AND polcmd = '*' AND polroles = '{0}'
        AND pg_get_expr(polqual, polrelid) = pg_get_expr(polwithcheck, polrelid)
        -- A column, cast at most to what its domain or varchar is made of, and the tenant.
        AND pg_get_expr(polqual, polrelid) ~ ('^[(]([(]?([^ ()"]+|"[^"]+")([)]::[a-z]+)?)'
          || ' = [(] ?SELECT pgusher[.]tenant_(id|uuid|bigint)[(][)]( AS [a-z_]+)?[)][)]$'))
      THEN 'its policy was changed'
    WHEN NOT class.relrowsecurity THEN 'row security is off'
    WHEN NOT class.relforcerowsecurity THEN 'row security is not forced'
  END
$$;

-- Roles, views and functions that pass row security by, and privileges that it does not hold.
CREATE OR REPLACE FUNCTION pgusher.kit_leaks(tenant_column name)
RETURNS TABLE (object text, problem text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  WITH RECURSIVE tables AS (
    SELECT * FROM pgusher.kit_tenant_tables(tenant_column)
  ), readers(relation) AS (
    SELECT oid FROM tables
    UNION
    SELECT rule.ev_class FROM readers
    JOIN pg_depend AS link ON link.refclassid = 'pg_class'::regclass
      AND link.refobjid = relation AND link.classid = 'pg_rewrite'::regclass
    JOIN pg_rewrite AS rule ON rule.oid = link.objid
  )
  SELECT tables.oid::regclass::text, format('its owner %I passes row security by', rolname)
  FROM tables JOIN pg_roles AS owner ON owner.oid = relowner
  WHERE rolsuper OR rolbypassrls
  UNION ALL
  SELECT DISTINCT tables.oid::regclass::text, format('%s may %s it, which row security does not hold',
    CASE grantee WHEN 0 THEN 'everybody' ELSE grantee::regrole::text END,
    CASE privilege_type WHEN 'TRUNCATE' THEN 'truncate' WHEN 'TRIGGER' THEN 'put triggers on'
      ELSE 'refer by foreign keys to' END)
  FROM tables, aclexplode(relacl)
  WHERE grantee <> relowner AND privilege_type IN ('TRUNCATE', 'TRIGGER', 'REFERENCES')
  UNION ALL
  SELECT view.oid::regclass::text, CASE relkind
    WHEN 'm' THEN 'a materialized view holds the rows of whoever refreshes it'
    ELSE format('its owner %I passes row security by, and it is not security_invoker', rolname) END
  FROM pg_class AS view JOIN pg_roles AS owner ON owner.oid = relowner
  WHERE view.oid IN (SELECT relation FROM readers)
    AND (relkind = 'm' OR relkind = 'v' AND (rolsuper OR rolbypassrls) AND NOT EXISTS (
      SELECT FROM pg_options_to_table(reloptions)
      WHERE option_name = 'security_invoker' AND option_value::boolean))
  UNION ALL
  SELECT routine.oid::regprocedure::text,
    format('it runs with the rights of %I, who passes row security by', rolname)
  FROM pg_proc AS routine JOIN pg_roles AS owner ON owner.oid = proowner
  JOIN pg_namespace AS space ON space.oid = pronamespace
  WHERE prosecdef AND (rolsuper OR rolbypassrls)
    AND nspname NOT IN ('pg_catalog', 'information_schema', 'pgusher')
    AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_proc'::regclass
      AND objid = routine.oid AND deptype = 'e')
$$;

-- What a role that tenants use may do besides.
CREATE OR REPLACE FUNCTION pgusher.kit_role_faults(application name, tenant_column name)
RETURNS TABLE (object text, problem text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT role.oid::regrole::text, fault
  FROM pg_roles AS role, LATERAL (
    SELECT 'it is a superuser' WHERE rolsuper
    UNION ALL
    SELECT 'it passes row security by' WHERE rolbypassrls
    UNION ALL
    SELECT format('it may act for %I, who passes row security by', other.rolname)
    FROM pg_roles AS other
    WHERE NOT role.rolsuper AND other.oid <> role.oid AND (other.rolsuper OR other.rolbypassrls)
      AND pg_has_role(role.oid, other.oid, 'MEMBER')
    UNION ALL
    SELECT format('it may act for %s, who owns the kit', nspowner::regrole)
    FROM pg_namespace
    WHERE nspname = 'pgusher' AND NOT rolsuper AND pg_has_role(role.oid, nspowner, 'MEMBER')
    UNION ALL
    SELECT format('it may act for %s, who owns %s', relowner::regrole, table_.oid::regclass)
    FROM pgusher.kit_tenant_tables(tenant_column) AS table_
    WHERE NOT rolsuper AND pg_has_role(role.oid, relowner, 'MEMBER')
  ) AS faults(fault)
  WHERE rolname = application
$$;

-- No rows: all tables with a tenant column are held. Name the role that tenants use to have its
-- rights looked at as well.
CREATE OR REPLACE FUNCTION pgusher.unprotected(
  application name DEFAULT NULL, tenant_column name DEFAULT 'tenant_id')
RETURNS TABLE (object text, problem text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF application IS NOT NULL AND to_regrole(quote_ident(application)) IS NULL THEN
    RAISE EXCEPTION 'there is no role %', application USING ERRCODE = 'undefined_object';
  END IF;
  RETURN QUERY
    SELECT class.oid::regclass::text, pgusher.kit_fault(class)
    FROM pgusher.kit_tenant_tables(tenant_column) AS class
    WHERE pgusher.kit_fault(class) IS NOT NULL
    UNION ALL SELECT * FROM pgusher.kit_leaks(tenant_column)
    UNION ALL SELECT * FROM pgusher.kit_role_faults(application, tenant_column)
    ORDER BY 1, 2;
END
$$;

REVOKE EXECUTE ON FUNCTION pgusher.kit_tenant_tables(name), pgusher.kit_fault(pg_class),
  pgusher.kit_leaks(name), pgusher.kit_role_faults(name, name),
  pgusher.unprotected(name, name) FROM PUBLIC;
`
