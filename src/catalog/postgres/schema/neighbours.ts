/**
 * What unique constraints can't say: tenants of one database do not see each other's schemas and
 * rows, be it through `search_path` or through two rows of `servers` that lead to one database.
 */
export const NEIGHBOURS = `
CREATE FUNCTION pgusher.keep_neighbours_apart() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  clash record;
BEGIN
  -- Planned each time: what is right for one row is not for a hundred thousand.
  EXECUTE format($query$
    WITH touched AS (
      SELECT tenant.name, tenant.own_schema, tenant.own_id, tenant.extra_schemas, near.name AS server
      FROM %s
      JOIN pgusher.servers AS near
        ON pgusher.database_of(near.url) = pgusher.database_of(server.url)
    )
    SELECT touched.name, other.name AS neighbour, 'schema ' || other.own_schema AS what
    FROM touched
    JOIN pgusher.tenants AS other USING (server, own_schema) WHERE touched.name <> other.name
    UNION ALL
    SELECT touched.name, other.name, 'id ' || other.own_id
    FROM touched
    JOIN pgusher.tenants AS other USING (server, own_id) WHERE touched.name <> other.name
    UNION ALL
    SELECT touched.name, other.name, 'schema ' || other.own_schema
    FROM touched CROSS JOIN unnest(touched.extra_schemas) AS extra(schema)
    JOIN pgusher.tenants AS other
      ON other.server = touched.server AND other.own_schema = extra.schema
    WHERE touched.name <> other.name
    UNION ALL
    SELECT touched.name, other.name, 'schema ' || touched.own_schema
    FROM touched
    JOIN pgusher.tenants AS other
      ON other.server = touched.server AND other.extra_schemas @> ARRAY[touched.own_schema]
    WHERE touched.name <> other.name
    LIMIT 1
    $query$,
    CASE TG_TABLE_NAME
      WHEN 'tenants' THEN 'new_rows AS tenant JOIN pgusher.servers AS server ON server.name = tenant.server'
      ELSE 'new_rows AS server JOIN pgusher.tenants AS tenant ON tenant.server = server.name'
    END) INTO clash;
  IF clash.name IS NOT NULL THEN
    RAISE EXCEPTION 'tenant % would share % with tenant %', clash.name, clash.what, clash.neighbour
      USING ERRCODE = 'exclusion_violation', SCHEMA = 'pgusher', TABLE = 'tenants',
        CONSTRAINT = 'tenants_see_no_schema_and_no_rows_of_others';
  END IF;
  RETURN NULL;
END
$$;
REVOKE EXECUTE ON FUNCTION pgusher.keep_neighbours_apart() FROM PUBLIC;

CREATE TRIGGER keep_neighbours_apart_insert AFTER INSERT ON pgusher.tenants
  REFERENCING NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION pgusher.keep_neighbours_apart();
CREATE TRIGGER keep_neighbours_apart_update AFTER UPDATE ON pgusher.tenants
  REFERENCING NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION pgusher.keep_neighbours_apart();
CREATE TRIGGER keep_neighbours_apart_update AFTER UPDATE ON pgusher.servers
  REFERENCING NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION pgusher.keep_neighbours_apart();
`
