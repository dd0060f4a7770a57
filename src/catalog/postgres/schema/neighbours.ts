/**
 * What unique constraints can't say: tenants of one database do not see each other's schemas and
 * rows, be it through `search_path` or through two rows of `servers` that lead to one database.
 */
export const NEIGHBOURS = `
CREATE FUNCTION pgusher.keep_neighbours_apart() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_nestloop = on
AS $$
DECLARE
  is_bulk boolean := TG_TABLE_NAME = 'servers'
    OR (SELECT count(*) > 100 FROM (SELECT FROM new_rows LIMIT 101) AS few);
  clash record;
BEGIN
  -- Planned each time: what is right for one row is not for a hundred thousand. Of these, nothing
  -- is known yet that would tell the planner so. The setting ends with the function.
  IF is_bulk THEN
    PERFORM set_config('enable_nestloop', 'off', true);
  END IF;
  EXECUTE format($query$
    WITH touched AS (
      SELECT tenant.name, tenant.own_schema, tenant.own_id, tenant.extra_schemas, near.name AS server
      FROM %s
      JOIN pgusher.servers AS near
        ON pgusher.database_of(near.url) = pgusher.database_of(server.url)
    ), extras AS MATERIALIZED (
      SELECT touched.name, touched.server, extra.schema AS own_schema
      FROM touched CROSS JOIN unnest(touched.extra_schemas) AS extra(schema)
    )
    SELECT touched.name, other.name AS neighbour, 'schema ' || other.own_schema AS what
    FROM touched
    JOIN pgusher.tenants AS other USING (server, own_schema) WHERE touched.name <> other.name
    UNION ALL
    SELECT touched.name, other.name, 'id ' || other.own_id
    FROM touched
    JOIN pgusher.tenants AS other USING (server, own_id) WHERE touched.name <> other.name
    UNION ALL
    SELECT extras.name, other.name, 'schema ' || other.own_schema
    FROM extras
    JOIN pgusher.tenants AS other USING (server, own_schema) WHERE extras.name <> other.name
    UNION ALL
    SELECT touched.name, other.name, 'schema ' || touched.own_schema
    FROM touched
    JOIN %s WHERE touched.name <> other.name
    LIMIT 1
    $query$,
    CASE TG_TABLE_NAME
      WHEN 'tenants' THEN 'new_rows AS tenant JOIN pgusher.servers AS server ON server.name = tenant.server'
      ELSE 'new_rows AS server JOIN pgusher.tenants AS tenant ON tenant.server = server.name'
    END,
    CASE WHEN is_bulk THEN
      '(SELECT tenants.name, tenants.server, extra.schema
        FROM pgusher.tenants CROSS JOIN unnest(tenants.extra_schemas) AS extra(schema)
        OFFSET 0) AS other
        ON other.server = touched.server AND other.schema = touched.own_schema'
    ELSE
      -- Not by the index over servers, which would find all their tenants.
      'pgusher.tenants AS other ON other.extra_schemas @> ARRAY[touched.own_schema]
        AND other.server || '''' = touched.server'
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
