import { quoteLiteral } from '../../sql/quote.ts'
import { FOUNDATION } from './foundation-sql.ts'
import { KEYS } from './keys-sql.ts'
import { PROTECT } from './protect-sql.ts'
import { tenantIdSql } from './tenant-id-sql.ts'
import { UNPROTECTED } from './unprotected-sql.ts'

/** Grows with every change of the kit's SQL that a program of an older one must not undo. */
const KIT_VERSION = 1
/** Programs that install at the same time wait for each other. Any number will do. */
const LOCK_KEY = '5215904413318607781'

/**
 * The SQL kit for sealed row tenancy as one script, which installs it into schema `pgusher` of the
 * tenants' database or brings it up to date. Its owner needs no more than the right to create that
 * schema. Tables and keys of an earlier version stay.
 *
 * @param setting - Name of the setting that carries the token, with a dot in it.
 */
export function kitScript(setting: string): string {
  return `BEGIN;
SET LOCAL search_path = pg_catalog, pg_temp;
SET LOCAL client_min_messages = warning;
SELECT pg_advisory_xact_lock(${LOCK_KEY});
${FOUNDATION}${versionSql(setting)}${tenantIdSql(setting)}${KEYS}${PROTECT}${UNPROTECTED}COMMIT;
`
}

function versionSql(setting: string): string {
  return `
DO $$
BEGIN
  IF EXISTS (SELECT FROM pgusher.kit WHERE version > ${KIT_VERSION}) THEN
    RAISE EXCEPTION 'the kit in the database is newer than this one'
      USING ERRCODE = 'object_not_in_prerequisite_state';
  END IF;
END
$$;
INSERT INTO pgusher.kit (version, setting) VALUES (${KIT_VERSION}, ${quoteLiteral(setting)})
  ON CONFLICT (is_only) DO UPDATE SET version = EXCLUDED.version, setting = EXCLUDED.setting;
`
}
