import { leadingAway, ownSetting, type Pair, TENANT_SETTING } from './pair.ts'
import { BOUND, SHARED, type StateKind } from './state-kind.ts'

const REFUSED = { strategies: SHARED, refusedFrom: 'guarded', reachesUntil: 'guarded' } as const
/** No text shows it: it comes to light when the server connection passes on. */
const HIDDEN = { strategies: SHARED, destroyedFrom: 'guarded', reachesUntil: 'sealed' } as const

const NOTHING = () => []

/** Statements that would take a session to the other tenant, or to nobody. */
const AWAY: readonly StateKind[] = [
  { name: 'SET to the other tenant', make: (pair) => [set(pair)], ...REFUSED },
  { name: 'SET LOCAL to the other tenant', make: (pair) => [`${set(pair, 'LOCAL')}`], ...REFUSED },
  {
    name: 'set_config to the other tenant',
    make: (pair) => [`SELECT set_config(${away(pair)}, false)`],
    ...REFUSED,
  },
  {
    name: 'set_config to the other tenant, value bound',
    make: (pair) => {
      const { name, value } = leadingAway(pair)
      return [{ text: `SELECT set_config('${name}', $1, false)`, values: [value] }]
    },
    protocols: BOUND,
    ...REFUSED,
  },
  {
    name: 'set_config to the other tenant, name bound',
    make: (pair) => {
      const { name, value } = leadingAway(pair)
      return [{ text: 'SELECT set_config($1, $2, false)', values: [name, value] }]
    },
    protocols: BOUND,
    ...REFUSED,
  },
  {
    name: 'SELECT set_config FROM, to the other tenant',
    make: (pair) => [
      `SELECT set_config(name, value, false) FROM (VALUES (${away(pair)})) v (name, value)`,
    ],
    ...REFUSED,
  },
  {
    name: 'set_config to the other tenant in DO',
    make: (pair) => [`DO $$ BEGIN PERFORM set_config(${away(pair)}, false); END $$`],
    ...HIDDEN,
  },
  {
    name: 'to the other tenant by a function',
    make: (pair) => [`SELECT shared.set_setting(${away(pair)})`],
    ...HIDDEN,
  },
  {
    name: 'to the other tenant by a trigger',
    make: (pair) => [`INSERT INTO shared.notes VALUES (${away(pair)})`],
    ...HIDDEN,
  },
  {
    name: 'a qualified name',
    make: ({ second }) => [`SELECT owner FROM ${second.schema}.items`],
    strategies: ['schema'],
    refusedFrom: 'sealed',
    reachesUntil: 'sealed',
  },
  {
    name: 'a token that nobody signed',
    make: ({ second }) => [
      `SELECT shared.set_setting('${TENANT_SETTING}', '${forgedToken(second.id)}')`,
    ],
    strategies: ['row'],
    destroyedFrom: 'guarded',
  },
  {
    name: 'options that lead to the other tenant',
    startup: (pair) => ({ options: `-c ${leadingAway(pair).name}=${leadingAway(pair).value}` }),
    make: NOTHING,
    strategies: SHARED,
    isLoginRefused: true,
  },
]

/** What outlives the session, and must not count in the next one. */
const LASTING: readonly StateKind[] = [
  {
    name: 'CREATE FUNCTION … SET to the other tenant',
    make: (pair) => [
      `CREATE FUNCTION pg_temp.peek() RETURNS text LANGUAGE plpgsql ${setLasting(pair)}
         AS $$ BEGIN RETURN current_setting('search_path'); END $$`,
      'SELECT pg_temp.peek()',
    ],
    strategies: SHARED,
    refusedFrom: 'guarded',
  },
  {
    name: 'ALTER ROLE … SET',
    make: (pair) => [`ALTER ROLE ${pair.first.serverUser} ${setLasting(pair)}`],
    undo: ({ first }) => `ALTER ROLE ${first.serverUser} RESET ALL`,
    strategies: SHARED,
    refusedFrom: 'guarded',
  },
  {
    name: 'ALTER ROLE … IN DATABASE … SET',
    make: ({ first, ...pair }) => [
      `ALTER ROLE ${first.serverUser} IN DATABASE ${first.database} ${setLasting({ first, ...pair })}`,
    ],
    undo: ({ first }) => `ALTER ROLE ${first.serverUser} IN DATABASE ${first.database} RESET ALL`,
    strategies: SHARED,
    refusedFrom: 'guarded',
  },
]

/** What a pool's own session may have done to it, in its own place. */
const OWN: readonly StateKind[] = [
  {
    name: 'RESET of what names the tenant',
    make: (pair) => [`RESET ${ownSetting(pair).name}`],
    strategies: SHARED,
  },
  {
    name: 'RESET ALL in DO',
    make: () => ['DO $$ BEGIN RESET ALL; END $$'],
  },
  {
    name: 'a search_path that begins with pg_temp',
    make: () => ['SET search_path = pg_temp, pg_catalog'],
  },
  {
    name: 'a search_path of a schema that all may see',
    make: () => ['SET search_path = information_schema'],
    refusedFrom: 'guarded',
  },
]

/** Who a session acts as. */
const ROLES: readonly StateKind[] = [
  { name: 'SET ROLE', make: () => ['SET ROLE helper'], strategies: SHARED, refusedFrom: 'guarded' },
  {
    name: "set_config of 'role'",
    make: () => ["SELECT set_config('role', 'helper', false)"],
    strategies: SHARED,
    refusedFrom: 'guarded',
  },
  {
    name: 'SET ROLE in DO',
    make: () => ['DO $$ BEGIN SET ROLE helper; END $$'],
    strategies: SHARED,
    destroyedFrom: 'guarded',
    // The server login is a member of no role.
    refusedFrom: 'sealed',
  },
  {
    name: 'a role by a function',
    make: () => ["SELECT shared.set_setting('role', 'helper')"],
    strategies: SHARED,
    destroyedFrom: 'guarded',
    // The server login is a member of no role.
    refusedFrom: 'sealed',
  },
  {
    name: 'options that name a role',
    startup: () => ({ options: '-c role=helper' }),
    make: NOTHING,
    strategies: SHARED,
    isLoginRefused: true,
  },
  { name: 'RESET ROLE', make: () => ['RESET ROLE'] },
  {
    name: 'SET SESSION AUTHORIZATION DEFAULT',
    make: () => ['SET SESSION AUTHORIZATION DEFAULT'],
  },
  {
    name: 'SET SESSION AUTHORIZATION',
    make: ({ first }) => [`SET SESSION AUTHORIZATION ${first.serverUser}`],
    strategies: SHARED,
    refusedFrom: 'guarded',
  },
]

export const PLACES: readonly StateKind[] = [...AWAY, ...LASTING, ...OWN, ...ROLES]

/** As PgUsher writes them, but for the signature. */
function forgedToken(id: string): string {
  return `${Buffer.from(id).toString('hex')}.99999999999999.${'0'.repeat(32)}.town.${'0'.repeat(64)}`
}

function set(pair: Pair, scope = ''): string {
  const { name, value } = leadingAway(pair)
  return `SET ${scope} ${name} TO '${value}'`
}

/** Postgres lets no ordinary role bind the setting of row tenants to a function or a role. */
function setLasting(pair: Pair): string {
  return pair.strategy === 'row' ? "SET search_path TO 'shared'" : set(pair)
}

function away(pair: Pair): string {
  const { name, value } = leadingAway(pair)
  return `'${name}', '${value}'`
}
