import t from 'tap'
import { ReplicationRequests } from '../../src/session/replication/replication-requests.ts'
import { query, terminate } from '../../src/wire/frontend-messages.ts'
import { copyDataBytes, copyDoneBytes, parseBytes } from '../support/frontend-bytes.ts'
import { inChunks } from '../wire/bytes.ts'

const CHUNK_BYTES = [1, 3, 5, 7, 64, 5000]

/** What reaches the server. */
function pass(requests: ReplicationRequests, bytes: Buffer, chunkBytes: number): Buffer {
  const passed = inChunks(bytes, chunkBytes).flatMap((chunk) => [...requests.push(chunk)])
  return Buffer.concat(passed)
}

const OWN_DATABASE = [
  'IDENTIFY_SYSTEM',
  'SHOW wal_segment_size',
  '',
  'SELECT pg_catalog.set_config($$search_path$$, $$$$, false)',
  'start',
  'CREATE_REPLICATION_SLOT "a" LOGICAL "test_decoding" NOEXPORT_SNAPSHOT',
  'CREATE_REPLICATION_SLOT a TEMPORARY LOGICAL pgoutput (SNAPSHOT $$nothing$$)',
  'create_replication_slot a logical pgoutput',
  'START_REPLICATION SLOT "a b" LOGICAL 0/0',
  '\n\t start_replication\n slot a logical 0/0 ("proto_version" $$1$$)',
  'DROP_REPLICATION_SLOT a WAIT',
  'READ_REPLICATION_SLOT a',
  'ALTER_REPLICATION_SLOT a (FAILOVER true)',
  'SELECT 1 -- BASE_BACKUP',
  '/* no command begins so */ BASE_BACKUP',
  `SELECT '${'x'.repeat(9000)}'`,
  `${' '.repeat(1000)} SELECT 1`,
]
for (const sql of OWN_DATABASE) {
  t.test(`of the database alone: ${sql.slice(0, 60).trim()}`, async (t) => {
    const bytes = Buffer.concat([query(sql), copyDataBytes('BASE_BACKUP'), query('SELECT 2')])
    for (const chunkBytes of CHUNK_BYTES) {
      t.strictSame(pass(new ReplicationRequests('database'), bytes, chunkBytes), bytes)
    }
  })
}

const OF_THE_CLUSTER = [
  'BASE_BACKUP',
  'base_backup',
  ' \t\n\r\f\vBASE_BACKUP (LABEL $$x$$)',
  'BASE_BACKUP(LABEL $$x$$)',
  'BASE_BACKUP;',
  'UPLOAD_MANIFEST',
  'TIMELINE_HISTORY 1',
  'START_REPLICATION 0/0',
  'START_REPLICATION PHYSICAL 0/0',
  'START_REPLICATION SLOT a 0/0',
  'START_REPLICATION SLOT a PHYSICAL 0/0 TIMELINE 1',
  'START_REPLICATION SLOT "a"PHYSICAL 0/0',
  'START_REPLICATION SLOT "LOGICAL" PHYSICAL 0/0',
  'START_REPLICATION SLOT "a LOGICAL " 0/0',
  'START_REPLICATION SLOT "a"" LOGICAL " PHYSICAL 0/0',
  'CREATE_REPLICATION_SLOT a PHYSICAL',
  'CREATE_REPLICATION_SLOT a TEMPORARY PHYSICAL RESERVE_WAL',
  'CREATE_REPLICATION_SLOT logical PHYSICAL',
  `${' '.repeat(1019)}BASE_BACKUP`,
  `${' '.repeat(5000)}BASE_BACKUP`,
  `START_REPLICATION SLOT a ${' '.repeat(2000)} PHYSICAL 0/0`,
]
for (const sql of OF_THE_CLUSTER) {
  const name = sql.trim()
  t.test(`of the whole cluster: ${name.slice(0, 60)}`, async (t) => {
    for (const chunkBytes of CHUNK_BYTES) {
      const passed: Buffer[] = []
      const requests = new ReplicationRequests('database')
      const push = () => {
        for (const chunk of inChunks(query(sql), chunkBytes)) passed.push(...requests.push(chunk))
      }
      t.throws(push, { code: 'REPLICATION_REFUSED', sqlState: '42501' })
      t.strictSame(passed, [], 'no byte of it has passed')
      const bytes = query(sql)
      t.strictSame(pass(new ReplicationRequests('physical'), bytes, chunkBytes), bytes)
    }
  })
}

const OF_THE_TENANT = [
  "SET pgusher.tenant = 'umbrella'",
  "set session PGUSHER.tenant to 'umbrella'",
  "/* now */ SET LOCAL pgusher.tenant = 'umbrella'",
  'RESET pgusher.tenant',
  'SHOW pgusher.tenant; RESET pgusher.tenant',
  "SELECT set_config('pgusher.tenant', 'umbrella', false)",
  `SET pgusher.tenant = 'umbrella' -- ${'x'.repeat(5000)}`,
]
for (const sql of OF_THE_TENANT) {
  t.test(`there is no other tenant here: ${sql.slice(0, 60)}`, async (t) => {
    for (const allowed of ['database', 'physical'] as const) {
      for (const chunkBytes of CHUNK_BYTES) {
        const requests = new ReplicationRequests(allowed)
        const push = () => pass(requests, query(sql), chunkBytes)
        t.throws(push, { code: 'REPLICATION_REFUSED', sqlState: '42501' })
      }
    }
  })
}

t.test('what changes nothing passes', async (t) => {
  const quoted = "SELECT 'SET pgusher.tenant', current_setting('pgusher.tenants')"
  const bytes = Buffer.concat([query(quoted), query('SHOW pgusher.tenant')])
  for (const allowed of ['database', 'physical'] as const) {
    t.strictSame(pass(new ReplicationRequests(allowed), bytes, 7), bytes)
  }
})

for (const allowed of ['database', 'physical'] as const) {
  t.test(`nothing passes behind Terminate: ${allowed}`, async (t) => {
    const good = Buffer.concat([query('SELECT 1'), copyDoneBytes(), terminate()])
    const more = Buffer.concat([parseBytes('', 'SELECT 1'), copyDataBytes('x'), terminate()])
    for (const chunkBytes of CHUNK_BYTES) {
      const requests = new ReplicationRequests(allowed)
      t.strictSame(pass(requests, Buffer.concat([good, more]), chunkBytes), good)
      t.ok(requests.isTerminated)
    }
  })

  t.test(`an impossible length: ${allowed}`, async (t) => {
    const requests = new ReplicationRequests(allowed)
    t.throws(() => requests.push(Buffer.from('Q\0\0\0\x03')), { code: 'PROTOCOL_VIOLATION' })
  })
}
