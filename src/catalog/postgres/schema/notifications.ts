/**
 * What the proxies are told: a line for each name that a statement touched, or `all` where more
 * than a few names may lead elsewhere now.
 */
export const NOTIFICATIONS = `
-- Arguments: the kind of names, and the column that holds them.
CREATE FUNCTION pgusher.tell_change() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  most CONSTANT integer := 100;
  version bigint := (SELECT state.version FROM pgusher.state);
  kind text := TG_ARGV[0];
  names text[];
BEGIN
  IF TG_OP <> 'TRUNCATE' THEN
    EXECUTE format('SELECT array_agg(name) FROM (SELECT DISTINCT name FROM (%s) AS touched LIMIT %s) AS few',
      format(CASE TG_OP
        WHEN 'INSERT' THEN 'SELECT %1$I AS name FROM new_rows'
        WHEN 'DELETE' THEN 'SELECT %1$I AS name FROM old_rows'
        ELSE 'SELECT %1$I AS name FROM new_rows UNION ALL SELECT %1$I FROM old_rows'
      END, TG_ARGV[1]), most + 1) INTO names;
    IF names IS NULL THEN
      RETURN NULL;
    END IF;
  END IF;
  IF names IS NULL OR kind = 'server' OR cardinality(names) > most OR '*' = ANY (names)
    OR kind = 'tenant' AND EXISTS (SELECT FROM unnest(names) AS n(name) WHERE name LIKE '%*%')
  THEN
    PERFORM pg_notify('pgusher', 'all ' || version);
  ELSE
    PERFORM pg_notify('pgusher', kind || ' ' || name || ' ' || version)
    FROM unnest(names) AS n(name);
  END IF;
  RETURN NULL;
END
$$;
REVOKE EXECUTE ON FUNCTION pgusher.tell_change() FROM PUBLIC;

CREATE TRIGGER tell_insert AFTER INSERT ON pgusher.servers REFERENCING NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION pgusher.tell_change('server', 'name');
CREATE TRIGGER tell_update AFTER UPDATE ON pgusher.servers
  REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION pgusher.tell_change('server', 'name');
CREATE TRIGGER tell_delete AFTER DELETE ON pgusher.servers REFERENCING OLD TABLE AS old_rows
  FOR EACH STATEMENT EXECUTE FUNCTION pgusher.tell_change('server', 'name');
CREATE TRIGGER tell_truncate AFTER TRUNCATE ON pgusher.servers
  FOR EACH STATEMENT EXECUTE FUNCTION pgusher.tell_change('server', 'name');

CREATE TRIGGER tell_insert AFTER INSERT ON pgusher.tenants REFERENCING NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION pgusher.tell_change('tenant', 'name');
CREATE TRIGGER tell_update AFTER UPDATE ON pgusher.tenants
  REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION pgusher.tell_change('tenant', 'name');
CREATE TRIGGER tell_delete AFTER DELETE ON pgusher.tenants REFERENCING OLD TABLE AS old_rows
  FOR EACH STATEMENT EXECUTE FUNCTION pgusher.tell_change('tenant', 'name');
CREATE TRIGGER tell_truncate AFTER TRUNCATE ON pgusher.tenants
  FOR EACH STATEMENT EXECUTE FUNCTION pgusher.tell_change('tenant', 'name');

CREATE TRIGGER tell_insert AFTER INSERT ON pgusher.logins REFERENCING NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION pgusher.tell_change('login', 'user');
CREATE TRIGGER tell_update AFTER UPDATE ON pgusher.logins
  REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION pgusher.tell_change('login', 'user');
CREATE TRIGGER tell_delete AFTER DELETE ON pgusher.logins REFERENCING OLD TABLE AS old_rows
  FOR EACH STATEMENT EXECUTE FUNCTION pgusher.tell_change('login', 'user');
CREATE TRIGGER tell_truncate AFTER TRUNCATE ON pgusher.logins
  FOR EACH STATEMENT EXECUTE FUNCTION pgusher.tell_change('login', 'user');

CREATE TRIGGER tell_insert AFTER INSERT ON pgusher.grants REFERENCING NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION pgusher.tell_change('tenant', 'tenant');
CREATE TRIGGER tell_update AFTER UPDATE ON pgusher.grants
  REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION pgusher.tell_change('tenant', 'tenant');
CREATE TRIGGER tell_delete AFTER DELETE ON pgusher.grants REFERENCING OLD TABLE AS old_rows
  FOR EACH STATEMENT EXECUTE FUNCTION pgusher.tell_change('tenant', 'tenant');
CREATE TRIGGER tell_truncate AFTER TRUNCATE ON pgusher.grants
  FOR EACH STATEMENT EXECUTE FUNCTION pgusher.tell_change('tenant', 'tenant');
`
