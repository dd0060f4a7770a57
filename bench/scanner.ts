import { Socket } from 'node:net'
import { RequestStream } from '../src/relay/request-stream.ts'
import type { ReplySink } from '../src/server/reply-sink.ts'
import { ReportedSets } from '../src/server/reported-sets.ts'
import { ServerConnection } from '../src/server/server-connection.ts'
import type { TenantName } from '../src/tenancy/tenant-name.ts'
import {
  attentionTable,
  FRAME_HEAD_BYTES,
  FrameStream,
  type FrameVisitor,
} from '../src/wire/frame-stream.ts'
import { query } from '../src/wire/frontend-messages.ts'
import { BackendCode } from '../src/wire/message-codes.ts'
import { readArguments } from './support/arguments.ts'
import { printReport } from './support/report.ts'
import { median } from './support/statistics.ts'

const VOICE = {
  tenant: 'acme' as TenantName,
  refusal: () => Buffer.alloc(0),
  guard: () => undefined,
}
const USAGE = `Usage: node dist/bench/scanner.js [--markdown]

What it takes to look at one message, without any socket.
`

const CHUNK_BYTES = 65_536
const COLUMNS = 8
const ROUNDS = 15
const CHUNKS = 2000
const TURNS = 200_000
/** RowDescription, DataRow, CommandComplete and ReadyForQuery. */
const REPLY = Buffer.concat([
  frame(BackendCode.rowDescription, Buffer.alloc(30)),
  frame(BackendCode.dataRow, rowBody(1)),
  frame(BackendCode.commandComplete, Buffer.from('SELECT 1\0')),
  frame(BackendCode.readyForQuery, Buffer.from('I')),
])
/** Takes replies and says nothing. */
const SILENT: ReplySink = {
  replyBytes() {},
  linked() {},
  settled() {},
  drained() {},
  lost() {},
  factsTold() {},
  plansChanged() {},
  statementsDropped() {},
  errorReported() {},
}

const options = readArguments(USAGE, { markdown: { type: 'boolean' } })
const rows = [
  ['row of 8 columns, passed over', rounded(scanRows)],
  ['row of 8 columns, head visited', rounded(visitRows)],
  ['simple query and its reply of four messages', rounded(answerQueries)],
]
const notes = [`Medians of ${ROUNDS} rounds. Rows come in chunks of ${CHUNK_BYTES} bytes.`]
printReport({ columns: ['what', 'ns'], rows, notes }, options.has('markdown'))

/** Runs a measurement until it is compiled, and then for its rounds. */
function rounded(measure: () => number): string {
  measure()
  return median(Array.from({ length: ROUNDS }, measure)).toFixed(0)
}

function scanRows(): number {
  return nsPerRow(0)
}

function visitRows(): number {
  return nsPerRow(FRAME_HEAD_BYTES)
}

function nsPerRow(attention: number): number {
  const row = frame(BackendCode.dataRow, rowBody(COLUMNS))
  const stream = Buffer.concat(Array.from({ length: CHUNK_BYTES }, () => row))
  const chunks = Array.from({ length: row.length }, (_, index) =>
    stream.subarray(index * CHUNK_BYTES, (index + 1) * CHUNK_BYTES),
  )
  const visitor: FrameVisitor = { visit: () => 'pass', emit() {} }
  const table = attentionTable({ [BackendCode.dataRow]: attention }, FRAME_HEAD_BYTES)
  const frames = new FrameStream(visitor, table, 0x4000_0003)
  const beganNs = process.hrtime.bigint()
  for (let count = 0; count < CHUNKS; count += 1) {
    frames.push(chunks[count % chunks.length] ?? stream)
  }
  return Number(process.hrtime.bigint() - beganNs) / ((CHUNKS * CHUNK_BYTES) / row.length)
}

/** One turn of a server connection, as the relay sees it, over a socket that leads nowhere. */
function answerQueries(): number {
  const socket = new Socket()
  const server = new ServerConnection(
    {
      socket,
      isEncrypted: false,
      notices: { early: [], late: [] },
      rest: Buffer.alloc(0),
      processId: 1,
      secretKey: Buffer.alloc(4),
      parameters: new Map(),
    },
    {
      address: { host: 'nowhere', port: 1 },
      maxPreparedStatements: 1,
      maxPreparedBytes: 1,
      home: undefined,
      signer: () => undefined,
      violated() {},
      handedOver() {},
      reportedSets: new ReportedSets(),
      expiresAtMs: 0,
    },
  )
  const requests = new RequestStream(undefined, VOICE)
  const request = query('SELECT abalance FROM pgbench_accounts WHERE aid = 1')
  server.attach(SILENT)
  const beganNs = process.hrtime.bigint()
  for (let count = 0; count < TURNS; count += 1) {
    requests.push(request, server)
    socket.emit('data', REPLY)
  }
  const ns = Number(process.hrtime.bigint() - beganNs) / TURNS
  if (!server.isClean) throw new Error('the reply did not settle the request')
  server.close()
  return ns
}

function frame(code: number, body: Buffer): Buffer {
  const head = Buffer.alloc(FRAME_HEAD_BYTES)
  head[0] = code
  head.writeUInt32BE(body.length + 4, 1)
  return Buffer.concat([head, body])
}

/** As many values of ten bytes. */
function rowBody(columns: number): Buffer {
  const count = Buffer.alloc(2)
  count.writeUInt16BE(columns)
  const value = Buffer.concat([Buffer.from([0, 0, 0, 10]), Buffer.from('0123456789')])
  return Buffer.concat([count, ...Array.from({ length: columns }, () => value)])
}
