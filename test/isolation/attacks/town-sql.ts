import { kitScript } from '../../../src/lifecycle/sql-kit/kit-script.ts'
import type { TokenKey } from '../../../src/tenancy/tenant-token.ts'

/** Who attacks and who suffers, of each strategy. Names of tenants, of schemas' ends, and ids. */
export const TENANTS = {
  schema: { attacker: 'mallory', victim: 'victoria' },
  row: { attacker: 'malcolm', victim: 'vincent' },
} as const

/** Stands in each row and function of that tenant, and in nothing that an attack says. */
export function secretOf(tenant: string): string {
  return `secret-of-${tenant}-7f3a`
}

/** Logins of `sealed`: one of each schema, and one for all rows. */
export const ROWS_LOGIN = 'rows_login'
const SCHEMA_LOGINS = [TENANTS.schema.attacker, TENANTS.schema.victim]
const KIT_OWNER = 'kit_owner'

/** The role that sessions of a tenant take below `sealed`, if they take one. */
export function roleOf(tenant: string): string {
  return `role_of_${tenant}`
}

/** Everything that has to be there once, before the databases. Passwords are the names. */
export const ROLES = ['pool', ROWS_LOGIN, KIT_OWNER, ...SCHEMA_LOGINS]
  .map((role) => `CREATE ROLE ${role} LOGIN PASSWORD '${role}'`)
  .concat(
    Object.values(TENANTS)
      .flatMap(({ attacker, victim }) => [attacker, victim])
      .map((tenant) => `CREATE ROLE ${roleOf(tenant)} ROLE pool`),
  )
  .join(';')

/** What an attack may have left on the roles. */
export const HEAL_ROLES = [
  ...['pool', ROWS_LOGIN, ...SCHEMA_LOGINS].map(
    (role) =>
      `ALTER ROLE ${role} PASSWORD '${role}'; ALTER ROLE ${role} RESET ALL;
       ALTER ROLE ${role} IN DATABASE plain RESET ALL; ALTER ROLE ${role} IN DATABASE sealed RESET ALL`,
  ),
  'ALTER DATABASE plain RESET ALL',
  'ALTER DATABASE sealed RESET ALL',
].join(';')

function ownSchema(tenant: string): string {
  return `
    CREATE SCHEMA tenant_${tenant};
    CREATE TABLE tenant_${tenant}.items (id int PRIMARY KEY, note varchar);
    INSERT INTO tenant_${tenant}.items VALUES (1, '${secretOf(tenant)}');
    CREATE SEQUENCE tenant_${tenant}.numbers;
    CREATE FUNCTION tenant_${tenant}.greeting() RETURNS text LANGUAGE sql
      AS $$SELECT 'hello'::text /* ${secretOf(tenant)} */$$;`
}

function grantToRole(tenant: string): string {
  const [schema, role] = [`tenant_${tenant}`, roleOf(tenant)]
  return `
    GRANT USAGE ON SCHEMA ${schema} TO ${role};
    GRANT ALL ON ALL TABLES IN SCHEMA ${schema} TO ${role};
    GRANT ALL ON ALL SEQUENCES IN SCHEMA ${schema} TO ${role};`
}

const SHARED_ITEMS = `
  CREATE TABLE public.items (id int, note varchar, tenant_id text, PRIMARY KEY (tenant_id, id));
  CREATE SEQUENCE public.numbers;
  CREATE FUNCTION public.greeting() RETURNS text LANGUAGE sql AS $$SELECT 'welcome'::text$$;`

const ROWS = Object.values(TENANTS.row)
  .map((tenant) => `(1, '${secretOf(tenant)}', 'id-of-${tenant}')`)
  .join(', ')

/** All that tenants share when one login owns it all, as `convenience` and `guarded` allow. */
export const PLAIN = `
  DROP OWNED BY pool CASCADE;
  DROP SCHEMA IF EXISTS x CASCADE;
  CREATE SCHEMA IF NOT EXISTS public AUTHORIZATION pg_database_owner;
  GRANT ALL ON DATABASE plain TO pool;
  GRANT ALL ON SCHEMA public TO pool;
  SET ROLE pool;
  ${SCHEMA_LOGINS.map((tenant) => ownSchema(tenant) + grantToRole(tenant)).join('')}
  ${SHARED_ITEMS}
  INSERT INTO public.items VALUES ${ROWS};
  ALTER TABLE public.items ALTER tenant_id SET DEFAULT current_setting('app.tenant_id');
  ALTER TABLE public.items ENABLE ROW LEVEL SECURITY;
  ALTER TABLE public.items FORCE ROW LEVEL SECURITY;
  CREATE POLICY tenant ON public.items USING (tenant_id = current_setting('app.tenant_id', true));
  RESET ROLE;`

/** The kit, and whom `sealed` takes rights away from. Once for each database. */
export function sealedOnce(key: TokenKey): string {
  return `
    REVOKE ALL ON DATABASE sealed FROM PUBLIC;
    GRANT CONNECT, TEMPORARY ON DATABASE sealed TO ${[ROWS_LOGIN, ...SCHEMA_LOGINS].join(', ')};
    REVOKE ALL ON SCHEMA public FROM PUBLIC;
    SET ROLE ${KIT_OWNER};
    ${kitScript('app.tenant_id')}
    SELECT pgusher.add_key('${key.id}', decode('${key.key}', 'base64'));
    ${SHARED_ITEMS}
    SELECT pgusher.protect('public.items', 'tenant_id');
    RESET ROLE;`
}

/** What tenants have at `sealed`: logins that own their schema, one that owns nothing. */
export const SEALED = `
  DROP OWNED BY ${[ROWS_LOGIN, ...SCHEMA_LOGINS].join(', ')} CASCADE;
  GRANT CONNECT, TEMPORARY ON DATABASE sealed TO ${[ROWS_LOGIN, ...SCHEMA_LOGINS].join(', ')};
  ${SCHEMA_LOGINS.map(
    (tenant) => `
      CREATE SCHEMA tenant_${tenant} AUTHORIZATION ${tenant};
      SET ROLE ${tenant};
      ${ownSchema(tenant).replace(`CREATE SCHEMA tenant_${tenant};`, '')}
      RESET ROLE;`,
  ).join('')}
  GRANT USAGE ON SCHEMA public TO ${ROWS_LOGIN};
  GRANT SELECT, INSERT, UPDATE, DELETE ON public.items TO ${ROWS_LOGIN};
  GRANT USAGE, SELECT ON SEQUENCE public.numbers TO ${ROWS_LOGIN};
  SET row_security = off;
  DELETE FROM public.items;
  INSERT INTO public.items (id, note, tenant_id) VALUES ${ROWS};
  RESET row_security;
  SELECT setval('public.numbers', 1, false);`
