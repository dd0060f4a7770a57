import { quoteLiteral } from '../sql/quote.ts'
import type { Tenancy } from './tenancy.ts'

/** Whom Postgres lets do what it refuses others. */
const RIGHTS_OVER_OTHERS = `CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname OPERATOR(pg_catalog.=) session_user AND (rolsuper OR rolbypassrls OR rolcreaterole OR rolreplication)) THEN 'the server login is a superuser, or has BYPASSRLS, CREATEROLE or REPLICATION' END`

const MEMBERSHIP = `(SELECT 'the server login is a member of role ' OPERATOR(pg_catalog.||) pg_catalog.pg_get_userbyid(roleid)::pg_catalog.text FROM pg_catalog.pg_auth_members WHERE member OPERATOR(pg_catalog.=) (SELECT oid FROM pg_catalog.pg_roles WHERE rolname OPERATOR(pg_catalog.=) session_user) LIMIT 1)`

const OWN_ROW_SECURITY = `(SELECT 'the server login owns table ' OPERATOR(pg_catalog.||) oid::pg_catalog.regclass::pg_catalog.text OPERATOR(pg_catalog.||) ', and can switch its row security off' FROM pg_catalog.pg_class WHERE relrowsecurity AND pg_catalog.pg_has_role(relowner, 'USAGE') LIMIT 1)`

/** Every role may call what the SQL kit has for it. */
const KIT_SCHEMA = 'pgusher'

/**
 * An SQL expression for a connection that is linked to a sealed tenant: why the server itself does
 * not keep it in its place, as a text; NULL if it does. `undefined` for a tenancy that needs none.
 *
 * What it asks can change later, by whoever grants rights: it is asked again for each new pool.
 */
export function sealProof(tenancy: Tenancy): string | undefined {
  switch (tenancy.strategy) {
    case 'database':
      return undefined
    case 'schema':
      return firstOf([RIGHTS_OVER_OTHERS, MEMBERSHIP, ...schemaProofs(tenancy.searchPath)])
    case 'row':
      return firstOf([RIGHTS_OVER_OTHERS, MEMBERSHIP, OWN_ROW_SECURITY, tokenProof(tenancy.value)])
  }
}

function schemaProofs([own = '', ...extra]: readonly string[]): readonly string[] {
  const entered = [own, ...extra, KIT_SCHEMA].map(quoteLiteral).join(', ')
  const shared = extra.map(quoteLiteral).join(', ')
  const named = (what: string, rest: string) =>
    `(SELECT ${quoteLiteral(what)} OPERATOR(pg_catalog.||) nspname::pg_catalog.text FROM pg_catalog.pg_namespace WHERE ${rest} LIMIT 1)`
  const others = `nspname OPERATOR(pg_catalog.<>) ALL (ARRAY[${entered}]::pg_catalog.name[]) AND nspname OPERATOR(pg_catalog.!~) '^pg_' AND nspname OPERATOR(pg_catalog.<>) 'information_schema' AND pg_catalog.has_schema_privilege(oid, 'USAGE')`
  const planted = `nspname OPERATOR(pg_catalog.=) ANY (ARRAY[${shared}]::pg_catalog.name[]) AND pg_catalog.has_schema_privilege(oid, 'CREATE')`
  return [
    named('the server login has USAGE on schema ', others),
    named('the server login has CREATE on the shared schema ', planted),
  ]
}

function tokenProof(tenantId: string): string {
  return `CASE WHEN pgusher.tenant_id() IS DISTINCT FROM ${quoteLiteral(tenantId)} THEN 'pgusher.tenant_id() does not accept the token: another key, a clock that is wrong, or a pooler between proxy and server' END`
}

function firstOf(expressions: readonly string[]): string {
  return `COALESCE(${expressions.join(', ')})`
}
