import { readConninfo } from '../../explain/conninfo.ts'
import { explainRoute } from '../../explain/explain-route.ts'
import { ConsoleSyntaxError, ConsoleUnsupportedError } from '../console-errors.ts'
import type { ConsoleSources } from '../console-sources.ts'
import { isLike } from '../language/like.ts'
import type { Token } from '../language/statements.ts'
import {
  CLIENT_COLUMNS,
  clientRows,
  PIN_COLUMNS,
  pinRows,
  SERVER_COLUMNS,
  serverRows,
} from '../shows/connections.ts'
import { DATABASE_COLUMNS, databaseRows, POOL_COLUMNS, poolRows } from '../shows/pools.ts'
import {
  BUDGET_COLUMNS,
  budgetRows,
  CONFIG_COLUMNS,
  configRows,
  LIST_COLUMNS,
  listRows,
  MEM_COLUMNS,
  memoryRows,
  STATE_COLUMNS,
  stateRows,
  USER_COLUMNS,
  userRows,
} from '../shows/process.ts'
import {
  STATS_COLUMNS,
  STATS_PART_COLUMNS,
  statsAveragesRows,
  statsRows,
  statsTotalsRows,
  TOTALS_COLUMNS,
  totalsRows,
} from '../shows/stats.ts'
import {
  catalogFacts,
  FACT_COLUMNS,
  TENANT_COLUMNS,
  tenantFacts,
  tenantRows,
} from '../shows/tenants.ts'
import { type Column, columns, type Row } from '../table.ts'
import { expectEnd, isWord, readTenant } from './arguments.ts'
import type { Command, CommandContext, Deed } from './command.ts'

/** Commands that change nothing. */
export const SHOW_COMMANDS: readonly Command[] = [
  show('VERSION', columns('text', 'version'), ({ sources }) => [
    { version: `PgUsher ${sources.version}` },
  ]),
  show('STATS', STATS_COLUMNS, ({ sources, history }) =>
    statsRows(sources.tenantTotals(), history),
  ),
  show('STATS_TOTALS', STATS_PART_COLUMNS, ({ sources }) =>
    statsTotalsRows(sources.tenantTotals()),
  ),
  show('STATS_AVERAGES', STATS_PART_COLUMNS, ({ sources, history }) =>
    statsAveragesRows(sources.tenantTotals(), history),
  ),
  show('TOTALS', TOTALS_COLUMNS, ({ sources, history }) =>
    totalsRows(sources.tenantTotals(), history),
  ),
  showSources('POOLS', POOL_COLUMNS, poolRows),
  showSources('DATABASES', DATABASE_COLUMNS, databaseRows),
  showSources('CLIENTS', CLIENT_COLUMNS, clientRows),
  showSources('SERVERS', SERVER_COLUMNS, serverRows),
  showSources('PINS', PIN_COLUMNS, pinRows),
  showSources('USERS', USER_COLUMNS, userRows),
  showSources('LISTS', LIST_COLUMNS, listRows),
  showSources('CONFIG', CONFIG_COLUMNS, configRows),
  showSources('STATE', STATE_COLUMNS, stateRows),
  showSources('BUDGETS', BUDGET_COLUMNS, budgetRows),
  showSources('CATALOG', FACT_COLUMNS, catalogFacts),
  show('MEM', MEM_COLUMNS, () => memoryRows()),
  // Nothing of the kind is kept: the system resolves names.
  show('DNS_HOSTS', dnsColumns('hostname', 'ttl', 'addrs'), () => []),
  show('DNS_ZONES', dnsColumns('zonename', 'serial', 'count'), () => []),
  {
    words: ['SHOW', 'TENANTS'],
    usage: "[LIKE 'a%']",
    right: 'stats',
    tag: 'SHOW',
    columns: TENANT_COLUMNS,
    read: readTenants,
  },
  {
    words: ['SHOW', 'TENANT'],
    usage: '<tenant>',
    right: 'stats',
    tag: 'SHOW',
    columns: FACT_COLUMNS,
    read(rest) {
      const tenant = readTenant(rest)
      return { run: async ({ sources }) => ({ rows: await tenantFacts(sources, tenant) }) }
    },
  },
  {
    words: ['EXPLAIN', 'ROUTE', 'FOR'],
    usage: "'<connection string>'",
    right: 'stats',
    tag: 'EXPLAIN',
    columns: FACT_COLUMNS,
    read: readExplain,
  },
  refused('FDS', 'There is no restart that hands over sockets: drain, and start another one.'),
  refused('SOCKETS', 'SHOW CLIENTS and SHOW SERVERS list the connections.'),
  refused('ACTIVE_SOCKETS', 'SHOW CLIENTS and SHOW SERVERS list the connections.'),
  refused('PEERS', 'Cancel requests reach the proxy that has the session, or nobody.'),
  refused('PEER_POOLS', 'Cancel requests reach the proxy that has the session, or nobody.'),
]

function show(
  what: string,
  columns: readonly Column[],
  rowsOf: (context: CommandContext) => readonly Row[],
): Command {
  return {
    words: ['SHOW', what],
    right: 'stats',
    tag: 'SHOW',
    columns,
    read(rest) {
      expectEnd(rest)
      return { run: (context) => ({ rows: rowsOf(context) }) }
    },
  }
}

function showSources(
  what: string,
  columns: readonly Column[],
  rowsOf: (sources: ConsoleSources) => readonly Row[],
): Command {
  return show(what, columns, ({ sources }) => rowsOf(sources))
}

/** What PgBouncer shows, and what does not exist here. */
function refused(what: string, hint: string): Command {
  const refuse = () => {
    throw new ConsoleUnsupportedError(`SHOW ${what}`, hint)
  }
  const words = ['SHOW', what]
  const read = () => ({ run: refuse })
  return { words, right: 'stats', tag: 'SHOW', columns: [], isRefused: true, read }
}

function dnsColumns(name: string, number: string, last: string): readonly Column[] {
  const type = last === 'count' ? 'int4' : 'text'
  return [...columns('text', name), ...columns('int8', number), ...columns(type, last)]
}

function readTenants(rest: readonly Token[]): Deed {
  const [like, pattern, ...more] = rest
  expectEnd(more)
  if (like !== undefined && (!isWord(like, 'LIKE') || pattern?.kind !== 'text')) {
    throw new ConsoleSyntaxError('a pattern is expected', "Write it as in LIKE 'acme%'.")
  }
  const wanted = pattern?.text ?? '%'
  const isMeant = (name: string) => isLike(name, wanted)
  return { run: async ({ sources }) => ({ rows: await tenantRows(sources, isMeant) }) }
}

function readExplain(rest: readonly Token[]): Deed {
  const [text, ...more] = rest
  expectEnd(more)
  if (text?.kind !== 'text') {
    const hint = "Write it as in EXPLAIN ROUTE FOR 'user=app.acme'."
    throw new ConsoleSyntaxError('a connection string is expected', hint)
  }
  const conninfo = readConninfo(text.text)
  return {
    async run({ sources }) {
      const { lines } = await explainRoute(conninfo, sources.routePolicy(), {
        resolve: (request) => sources.catalog.explain(request),
        lines: () => [],
      })
      return { rows: lines.map(([key, value]) => ({ key, value })) }
    },
  }
}
