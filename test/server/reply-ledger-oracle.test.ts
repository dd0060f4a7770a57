import fc from 'fast-check'
import t from 'tap'
import { type Owed, ReplyLedger } from '../../src/server/reply-ledger.ts'
import { flush, query, sync } from '../../src/wire/frontend-messages.ts'
import { BackendCode } from '../../src/wire/message-codes.ts'
import {
  bindBytes,
  closeBytes,
  copyDataBytes,
  copyDoneBytes,
  copyFailBytes,
  describeBytes,
  executeBytes,
  functionCallBytes,
  parseBytes,
} from '../support/frontend-bytes.ts'
import { type PostgresServer, sql, startPostgres } from '../support/postgres.ts'
import { RawPostgres } from '../support/raw-postgres.ts'

/** A message as the ledger is told of it, and as the server gets it. */
interface Sent {
  readonly owed: Owed | undefined
  readonly bytes: Buffer
}

/** Replies that the ledger is not asked about. */
const UNSEEN: readonly number[] = [
  BackendCode.dataRow,
  BackendCode.copyData,
  BackendCode.noticeResponse,
  BackendCode.notificationResponse,
  BackendCode.parameterStatus,
]
const RUNS = 400
/** Messages of the client that ReadyForQuery answers. */
const READIED: readonly (Owed | undefined)[] = ['query', 'functionCall', 'sync']
/** `pg_backend_pid`, and a function that does not exist. */
const FUNCTIONS = [2026, 1] as const
const STATEMENTS = [
  'select 1',
  'select generate_series(1, 3)',
  'insert into odd values (1)',
  'insert into odd values (2)',
  'insert into late values (1)',
  'selec',
  'select 1/0',
  'begin',
  'commit',
  'rollback',
  '',
  'copy odd to stdout',
  'set datestyle = german',
]
const QUERIES = [...STATEMENTS, 'select 1; select 2', 'select 1; selec', '; ;', 'begin; select 1/0']
const COPIES = ['copy odd from stdin', 'copy nowhere from stdin', 'copy refusing from stdin']

const sent = (owed: Owed | undefined, bytes: Buffer): Sent => ({ owed, bytes })
/** Stands where the client may not have run what it sent. */
const REFUSED = 'REFUSED'
const SYNC = sent('sync', sync())
const name = fc.constantFrom('', 's1', 's2')
const kind = fc.constantFrom<'S' | 'P'>('S', 'P')
const copyPart = fc.oneof(
  fc.constant(sent(undefined, copyDataBytes('1\n'))),
  fc.constant(sent(undefined, copyDataBytes('even\n'))),
  fc.constant(sent(undefined, flush())),
  fc.constant(SYNC),
)
const copyEnd = fc.constantFrom(sent('copyEnd', copyDoneBytes()), sent('copyEnd', copyFailBytes()))
const copyTail = fc
  .tuple(fc.array(copyPart, { maxLength: 4 }), copyEnd)
  .map(([parts, end]) => [...parts, end])

const extendedCopy = fc
  .tuple(fc.constantFrom(...COPIES), copyTail)
  .map(([text, tail]) => [
    sent('close', closeBytes('S', 'copy')),
    sent('parse', parseBytes('copy', text)),
    sent('bind', bindBytes('copy', 'copy')),
    sent('execute', executeBytes('copy')),
    ...tail,
  ])
const simpleCopy = fc
  .tuple(fc.constantFrom(...COPIES, 'copy odd from stdin; copy odd from stdin'), copyTail, copyTail)
  .map(([text, first, second]) => [sent('query', query(text)), ...first, ...second])

const single = fc.oneof(
  fc.tuple(name, fc.constantFrom(...STATEMENTS)).map(([at, text]) => {
    return sent('parse', parseBytes(at, text))
  }),
  fc.tuple(name, name).map(([portal, at]) => sent('bind', bindBytes(portal, at))),
  fc.tuple(kind, name).map(([of, at]) => sent('describe', describeBytes(of, at))),
  fc.tuple(kind, name).map(([of, at]) => sent('close', closeBytes(of, at))),
  fc.tuple(name, fc.nat(2)).map(([at, rows]) => sent('execute', executeBytes(at, rows))),
  fc.constant(SYNC),
  fc.constant(sent(undefined, flush())),
  fc.constantFrom(...FUNCTIONS).map((oid) => sent('functionCall', functionCallBytes(oid))),
  fc.constantFrom(...QUERIES).map((text) => sent('query', query(text))),
  copyEnd,
)
/** What the proxy sends of its own accord, in the places where it does. */
const own = fc.oneof(
  fc.constantFrom('set jit = off', 'set nothing = 1', 'selec').map((text) => {
    return [sent('restore', query(text))]
  }),
  fc.constantFrom('select 1 where false', 'select 1', 'select 1/0').map((text) => {
    return [sent('ask', query(text))]
  }),
  fc
    .tuple(name, fc.constantFrom('', 'select 1', 'selec'))
    .map(([at, text]) => [sent('hiddenTrial', parseBytes(at, text)), sent('hiddenSync', sync())]),
  name.map((at) => [sent('hiddenClose', closeBytes('S', at)), sent('hiddenSync', sync())]),
  fc
    .tuple(name, fc.constantFrom(...STATEMENTS))
    .map(([at, text]) => [
      sent('hiddenClose', closeBytes('S', at)),
      sent('hiddenParse', parseBytes(at, text)),
    ]),
  fc.constantFrom(
    [sent('query', query(REFUSED))],
    [sent('parse', parseBytes('', REFUSED))],
    [sent('hiddenSync', sync())],
  ),
)
const step = fc.oneof(
  { weight: 4, arbitrary: own },
  { weight: 8, arbitrary: single.map((one) => [one]) },
  { weight: 1, arbitrary: extendedCopy },
  { weight: 1, arbitrary: simpleCopy },
)
/** Whether the client sends everything at once, or waits for the server after each step. */
const pipeline = fc.record({ steps: fc.array(step, { maxLength: 14 }), eager: fc.boolean() })

let postgres: PostgresServer
t.before(async () => {
  postgres = await startPostgres({ major: 18 })
  await sql(
    postgres,
    'postgres',
    `create table odd (n int check (n % 2 = 1));
     create table late (n int unique deferrable initially deferred);
     insert into late values (1);
     create table refusing (n int);
     create function refuse() returns trigger language plpgsql as
       $$ begin raise exception 'refused'; end $$;
     create trigger refuse before insert on refusing for each statement execute function refuse()`,
  )
})
t.teardown(() => postgres.stop())

/** One connection, and the ledger that follows it. */
class Followed {
  readonly ledger = new ReplyLedger()
  readonly #raw: RawPostgres
  readonly #seen: string[] = []
  /** ReadyForQuery that the client may get yet. */
  #readies = 0

  constructor(raw: RawPostgres) {
    this.#raw = raw
  }

  send(messages: readonly Sent[]): void {
    for (const { owed } of messages) if (owed !== undefined) this.ledger.push(owed)
    this.#readies += messages.filter(({ owed }) => READIED.includes(owed)).length
    this.#seen.push(`[${messages.map(({ owed }) => owed ?? 'data').join(' ')}]`)
    this.#raw.write(...messages.map(({ bytes }) => bytes))
  }

  /** Feeds the ledger one reply. Returns false when the ledger makes no promise any more. */
  async follow(): Promise<boolean> {
    const { code } = await this.#raw.next()
    if (UNSEEN.includes(code)) return true
    this.#seen.push(String.fromCharCode(code))
    const verdict = this.ledger.settle(code)
    if (verdict === 'pass' && code === BackendCode.readyForQuery) this.#readies -= 1
    const isWrong = verdict === 'surprise' || this.#readies < 0
    if (isWrong && !this.ledger.isDoubtful) throw new Error(`surprised: ${this.#seen.join(' ')}`)
    return !this.ledger.isDoubtful
  }

  async followUntilSettled(): Promise<boolean> {
    while (!this.ledger.isSettled) if (!(await this.follow())) return false
    return true
  }

  /** The server has no more to say when the answer to a marker is the next thing that comes. */
  async provesSettled(): Promise<void> {
    this.#raw.write(query('listen settled'))
    for (;;) {
      const { code, body } = await this.#raw.next()
      if (UNSEEN.includes(code)) continue
      // In a failed transaction the marker is refused.
      const isMarker = code === BackendCode.errorResponse || body.toString() === 'LISTEN\0'
      if (!isMarker) throw new Error(`settled too early: ${this.#seen.join(' ')}`)
      break
    }
    await this.#raw.until(BackendCode.readyForQuery)
  }
}

t.test('is never surprised, and settled when the server has said everything', async (t) => {
  const doubts = { count: 0 }
  const check = fc.asyncProperty(pipeline, async ({ steps, eager }) => {
    const raw = await RawPostgres.open(postgres)
    raw.socket.setTimeout(5_000, () => raw.socket.destroy())
    const followed = new Followed(raw)
    try {
      const isCertain = await run(followed, steps, eager)
      if (isCertain) await followed.provesSettled()
      else doubts.count += 1
    } finally {
      raw.socket.destroy()
    }
  })
  await fc.assert(check, { numRuns: RUNS })
  t.ok(doubts.count < RUNS / 4, `${doubts.count} of ${RUNS} runs ended in doubt`)
})

async function run(
  followed: Followed,
  steps: readonly (readonly Sent[])[],
  eager: boolean,
): Promise<boolean> {
  const end = [sent('copyEnd', copyFailBytes()), SYNC]
  if (eager) {
    followed.send([...steps.flat(), ...end])
    return followed.followUntilSettled()
  }
  for (const step of steps) {
    followed.send([...step, sent(undefined, flush())])
    // As many replies as are sure to come: a copy or a Flush may leave the rest open.
    while (followed.ledger.count > 0) if (!(await followed.follow())) return false
  }
  followed.send(end)
  return followed.followUntilSettled()
}
