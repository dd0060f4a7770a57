import {
  type LevelWish,
  LOG_LEVELS,
  MAX_LEVEL_MS,
  readLevelWish,
} from '../../../telemetry/log/tenant-log-levels.ts'
import { parseTenantName, type TenantName } from '../../../tenancy/tenant-name.ts'
import { ConsoleSyntaxError } from '../console-errors.ts'
import type { Token } from '../language/statements.ts'
import { columns } from '../table.ts'
import { expectEnd, isWord, readTenant, requireTenant } from './arguments.ts'
import type { Command, Deed } from './command.ts'

const HINT = `Write it as in SET LOG LEVEL debug FOR TENANT acme FOR 600000; levels are ${LOG_LEVELS.join(', ')}, times in ms up to ${MAX_LEVEL_MS}.`

/** How much is logged of single tenants. */
export const LOG_COMMANDS: readonly Command[] = [
  {
    words: ['SHOW', 'LOG_LEVELS'],
    right: 'stats',
    tag: 'SHOW',
    columns: [...columns('text', 'tenant level'), ...columns('int8', 'left_ms')],
    read(rest) {
      expectEnd(rest)
      return {
        run: ({ logLevels }) => ({
          rows: logLevels
            .list()
            .map(({ tenant, level, leftMs }) => ({ tenant, level, left_ms: leftMs })),
        }),
      }
    },
  },
  {
    words: ['SET', 'LOG', 'LEVEL'],
    usage: '<level> FOR TENANT <tenant> [FOR <ms>]',
    right: 'admin',
    tag: 'SET',
    columns: [],
    read: readSet,
  },
  {
    words: ['RESET', 'LOG', 'LEVEL'],
    usage: 'FOR TENANT <tenant>',
    right: 'admin',
    tag: 'RESET',
    columns: [],
    read([first, second, ...rest]) {
      expectTenant(first, second)
      const tenant = readTenant(rest)
      return {
        tenant,
        run: ({ logLevels }) =>
          logLevels.clear(tenant) ? {} : { notice: 'the tenant had no level of its own' },
      }
    },
  },
]

function readSet([level, first, second, name, again, time, ...more]: readonly Token[]): Deed {
  expectTenant(first, second)
  expectEnd(more)
  const tenant = parseTenantName(name?.text ?? '')
  const isBounded = again !== undefined
  if (tenant === undefined || (isBounded && (!isWord(again, 'FOR') || time === undefined))) {
    throw malformed()
  }
  const wish = readLevelWish(level?.text.toLowerCase() ?? '', time?.text)
  if (wish === undefined) throw malformed()
  return setLevel(tenant, wish)
}

function setLevel(tenant: TenantName, { level, forMs }: LevelWish): Deed {
  return {
    tenant,
    async run(context) {
      await requireTenant(tenant, context)
      context.logLevels.set(tenant, level, forMs)
      return {}
    },
  }
}

/** The level of all is for the configuration to say. */
function expectTenant(first: Token | undefined, second: Token | undefined): void {
  if (!isWord(first, 'FOR') || !isWord(second, 'TENANT')) throw malformed()
}

function malformed(): ConsoleSyntaxError {
  return new ConsoleSyntaxError('a level and a tenant are expected', HINT)
}
