import { sql } from '../support/postgres.ts'
import {
  bind,
  execute,
  flush,
  frame,
  int16,
  int32,
  parse,
  query,
  sync,
  text,
} from '../support/raw-client.ts'
import type { Conversation } from '../support/transcript.ts'
import { until } from '../support/until.ts'
import { type Act, type Program, perform, type Stage } from './transcript-fixture.ts'

/** Messages that are no messages: an error, or the end, is what Postgres makes of them. */
const MALFORMED: Readonly<Record<string, readonly Buffer[]>> = {
  'a Bind without an end': [frame('B', Buffer.from('no end')), sync],
  'an empty Bind': [frame('B'), sync],
  'a Bind with too few formats': [
    parse('', 'SELECT $1::text, $2::text'),
    frame('B', text(''), text(''), int16(3), int16(0), int16(0), int16(0), int16(0), int16(0)),
    sync,
  ],
  'a Bind with a wrong length': [
    parse('', 'SELECT $1::text'),
    frame('B', text(''), text(''), int16(0), int16(1), int32(99), int16(0)),
    sync,
  ],
  'a Bind with more behind it': [frame('B', text(''), text(''), Buffer.alloc(10)), sync],
  'a Parse without an end': [frame('P', Buffer.from('no end')), sync],
  'an empty Parse': [frame('P'), sync],
  'an empty Close': [frame('C'), sync],
  'a Close of nothing known': [frame('C', Buffer.from('x'), text('name')), sync],
  'an empty Describe': [frame('D'), sync],
  'a Describe of nothing known': [frame('D', Buffer.from('x'), text('name')), sync],
  'an empty Execute': [frame('E'), sync],
  'a Query without an end': [frame('Q', Buffer.from('SELECT 1'))],
  'an empty Query': [frame('Q')],
  'a Query with more behind it': [frame('Q', text('SELECT 1'), text('SELECT 2'))],
  'a Query that is no UTF-8': [frame('Q', Buffer.from("SELECT '\xff'\0", 'latin1'))],
  'a FunctionCall cut short': [frame('F', int32(1))],
  'a Sync with a body': [frame('S', Buffer.from('body'))],
}

const VIOLATIONS: Readonly<Record<string, readonly Buffer[]>> = {
  'an unknown type': [frame('!')],
  'a password': [frame('p', text('x'))],
  'a message of the server': [frame('Z', Buffer.from('I'))],
  'an unknown type in a pipeline': [query('SELECT 1'), parse('', 'SELECT 2'), frame('!'), sync],
  'a length of 0': [Buffer.from('Q'), int32(0)],
  'a length of 3': [query('SELECT 1'), Buffer.from('S'), int32(3)],
  'a negative length': [Buffer.from('Q'), int32(-1), Buffer.alloc(20)],
  'a length beyond all bounds': [Buffer.from('Q'), int32(0x7fff_ffff), Buffer.alloc(100)],
}

function program(stage: Stage): Program {
  const acts: Record<string, Act> = { ...ENDS, ...terminations(stage) }
  for (const [name, bytes] of Object.entries(MALFORMED)) {
    acts[name] = {
      script: async (talk) => {
        await talk.ask(...bytes)
        await talk.run('SELECT 1', 'BEGIN')
        await talk.ask(...bytes)
        await talk.run('SELECT 1', 'ROLLBACK')
      },
    }
  }
  for (const [name, bytes] of Object.entries(VIOLATIONS)) {
    acts[name] = { script: (talk) => violate(talk, bytes) }
    acts[`${name}, in a transaction`] = {
      script: async (talk) => {
        await talk.run('BEGIN')
        await violate(talk, bytes)
      },
    }
  }
  return acts
}

async function violate(talk: Conversation, bytes: readonly Buffer[]): Promise<void> {
  await talk.send(...bytes)
  await talk.toEnd()
}

const ENDS: Program = {
  statement_timeout: {
    script: (talk) =>
      talk.run('SET statement_timeout TO 20', 'SELECT pg_sleep(60)', 'SHOW statement_timeout'),
  },
  idle_session_timeout: {
    script: async (talk) => {
      await talk.run('SET idle_session_timeout TO 20')
      await talk.toEnd()
    },
  },
  'idle_session_timeout of the startup packet': {
    parameters: { idle_session_timeout: '100' },
    script: (talk) => talk.toEnd(),
  },
  idle_in_transaction_session_timeout: {
    script: async (talk) => {
      await talk.run('SET idle_in_transaction_session_timeout TO 20', 'BEGIN')
      await talk.toEnd()
    },
  },
  'Terminate behind a pipeline': {
    script: async (talk) => {
      await talk.send(query('SELECT 1'), parse('', 'SELECT 2'), bind('', ''), execute(), sync)
      await talk.send(frame('X'))
      await talk.toEnd()
    },
  },
  'Terminate without a Sync': {
    script: async (talk) => {
      await talk.send(parse('', 'SELECT 2'), bind('', ''), execute(), flush, frame('X'))
      await talk.toEnd()
    },
  },
  'Terminate in a transaction': { script: (talk) => talk.run('BEGIN', 'SELECT 1') },
  'its own termination': {
    script: async (talk) => {
      await talk.send(query('SELECT pg_terminate_backend(pg_backend_pid())'))
      await talk.toEnd()
    },
  },
  'its own cancel': {
    script: (talk) => talk.run('SELECT pg_cancel_backend(pg_backend_pid())', 'SELECT 1'),
  },
}

/** The administrator ends the session while it is idle, in a transaction, or busy. */
function terminations({ server }: Stage): Program {
  const terminate = async (talk: Conversation): Promise<void> => {
    await sql(server, 'postgres', `SELECT pg_terminate_backend(${talk.processId})`)
    await talk.toEnd()
  }
  const sleeping = async (talk: Conversation): Promise<void> => {
    await talk.send(query('SELECT pg_sleep(60)'))
    const isAsleep = `SELECT FROM pg_stat_activity WHERE pid = ${talk.processId} AND wait_event = 'PgSleep'`
    await until(async () => (await sql(server, 'postgres', isAsleep)).length > 0)
  }
  return {
    'terminated while idle': { script: terminate },
    'terminated in a transaction': {
      script: async (talk) => {
        await talk.run('BEGIN', 'SELECT 1')
        await terminate(talk)
      },
    },
    'terminated in a query': {
      script: async (talk) => {
        await sleeping(talk)
        await terminate(talk)
      },
    },
    'terminated in a copy': {
      script: async (talk) => {
        await talk.run('CREATE TEMP TABLE copied (id int)')
        await talk.send(query('COPY copied FROM STDIN'))
        await talk.upTo('G')
        await terminate(talk)
      },
    },
    'a server that shuts down': {
      script: async (talk) => {
        await talk.run('BEGIN')
        await server.restart('fast')
        await talk.toEnd()
      },
    },
    'canceled in a query': {
      script: async (talk) => {
        await sleeping(talk)
        await sql(server, 'postgres', `SELECT pg_cancel_backend(${talk.processId})`)
        await talk.upTo('Z')
      },
    },
  }
}

// How far a copy had come when its server was ended is chance.
await perform(program, { mask: (line) => line.replace(/(COPY copied, line) \d+/, '$1') })
