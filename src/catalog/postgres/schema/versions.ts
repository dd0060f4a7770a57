/**
 * The version of the catalog. Every statement that writes takes the row of `pgusher.state` first:
 * writers queue there until their predecessor commits, so versions grow in the order of commits,
 * and what a trigger looks up later is what will be true.
 */
export const VERSIONS = `
CREATE FUNCTION pgusher.advance_version() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  UPDATE pgusher.state SET version = version + 1;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'pgusher.state has lost its row';
  END IF;
  RETURN NULL;
END
$$;

CREATE FUNCTION pgusher.stamp_row() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  NEW.version := (SELECT version FROM pgusher.state);
  NEW.updated_at := now();
  RETURN NEW;
END
$$;

CREATE FUNCTION pgusher.count_secrets() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  wanted integer := CASE WHEN NEW.secrets = '{}' THEN 0 ELSE 1 END;
BEGIN
  IF TG_OP = 'UPDATE' THEN
    wanted := OLD.secrets_version + CASE WHEN NEW.secrets = OLD.secrets THEN 0 ELSE 1 END;
    IF NEW.name <> OLD.name AND NEW.secrets <> '{}' AND NEW.secrets = OLD.secrets THEN
      RAISE EXCEPTION 'the passwords of % are sealed for that name: seal them for % as well',
        OLD.name, NEW.name
        USING ERRCODE = 'check_violation', SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME,
          CONSTRAINT = TG_TABLE_NAME || '_secrets_are_sealed_for_the_name';
    END IF;
  END IF;
  IF NEW.secrets_version <> wanted THEN
    RAISE EXCEPTION 'secrets_version of % must be %, not %', NEW.name, wanted, NEW.secrets_version
      USING ERRCODE = 'check_violation', SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME,
        CONSTRAINT = TG_TABLE_NAME || '_secrets_version_counts_changes_of_secrets',
        HINT = 'It is 1 in a new row with secrets, and grows by 1 with each change of them.';
  END IF;
  RETURN NEW;
END
$$;

REVOKE EXECUTE ON FUNCTION
  pgusher.advance_version(), pgusher.stamp_row(), pgusher.count_secrets() FROM PUBLIC;

CREATE TRIGGER advance_version BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON pgusher.servers
  FOR EACH STATEMENT EXECUTE FUNCTION pgusher.advance_version();
CREATE TRIGGER advance_version BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON pgusher.tenants
  FOR EACH STATEMENT EXECUTE FUNCTION pgusher.advance_version();
CREATE TRIGGER advance_version BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON pgusher.logins
  FOR EACH STATEMENT EXECUTE FUNCTION pgusher.advance_version();
CREATE TRIGGER advance_version BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON pgusher.grants
  FOR EACH STATEMENT EXECUTE FUNCTION pgusher.advance_version();

CREATE TRIGGER stamp_row BEFORE INSERT OR UPDATE ON pgusher.servers
  FOR EACH ROW EXECUTE FUNCTION pgusher.stamp_row();
CREATE TRIGGER stamp_row BEFORE INSERT OR UPDATE ON pgusher.tenants
  FOR EACH ROW EXECUTE FUNCTION pgusher.stamp_row();
CREATE TRIGGER stamp_row BEFORE INSERT OR UPDATE ON pgusher.logins
  FOR EACH ROW EXECUTE FUNCTION pgusher.stamp_row();

CREATE TRIGGER count_secrets BEFORE INSERT OR UPDATE ON pgusher.servers
  FOR EACH ROW EXECUTE FUNCTION pgusher.count_secrets();
CREATE TRIGGER count_secrets BEFORE INSERT OR UPDATE ON pgusher.tenants
  FOR EACH ROW EXECUTE FUNCTION pgusher.count_secrets();
`
