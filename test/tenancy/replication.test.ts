import t from 'tap'
import {
  authorizeReplication,
  parseReplication,
  type Replication,
  type ReplicationMode,
} from '../../src/tenancy/replication.ts'

/** Values of the startup parameter, and what Postgres takes them for. */
const SPELLINGS: Readonly<Record<Replication, readonly string[]>> = {
  none: ['false', 'FALSE', 'f', 'fals', 'no', 'N', 'off', 'of', '0'],
  database: ['database'],
  physical: ['true', 'True', 't', 'tru', 'yes', 'Y', 'on', 'ON', '1'],
}
for (const [mode, values] of Object.entries(SPELLINGS)) {
  for (const value of values) {
    t.test(`replication=${value}`, async (t) => t.equal(parseReplication(value), mode))
  }
}

t.test('no parameter', async (t) => t.equal(parseReplication(undefined), 'none'))

const WRONG = [
  '',
  ' true',
  'true ',
  'DATABASE',
  'Database',
  'database ',
  'o',
  'truely',
  '2',
  'physical',
]
for (const value of WRONG) {
  t.test(`refused: replication='${value}'`, async (t) => {
    t.throws(() => parseReplication(value), {
      code: 'SETTING_REFUSED',
      sqlState: '22023',
      clientMessage: `invalid value for parameter "replication": "${value}"`,
    })
  })
}

/** What a record allows, and what a client gets of it. */
const GRANTS: Readonly<Record<Replication, readonly ReplicationMode[]>> = {
  none: [],
  database: ['database'],
  physical: ['database', 'physical'],
}
for (const [allowed, modes] of Object.entries(GRANTS) as [Replication, ReplicationMode[]][]) {
  for (const wanted of ['database', 'physical'] as const) {
    const isAllowed = modes.includes(wanted)
    t.test(`${wanted} where ${allowed} is allowed`, async (t) => {
      const ask = () => authorizeReplication(wanted, { allowed, maxSessions: 0 })
      if (isAllowed) t.doesNotThrow(ask)
      else t.throws(ask, { code: 'REPLICATION_REFUSED', sqlState: '42501', hint: RegExp(wanted) })
    })
  }
}
