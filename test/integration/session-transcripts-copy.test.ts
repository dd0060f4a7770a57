import {
  bind,
  close,
  describe,
  execute,
  flush,
  frame,
  parse,
  query,
  sync,
  text,
} from '../support/raw-client.ts'
import type { Conversation } from '../support/transcript.ts'
import { type Program, perform } from './transcript-fixture.ts'

const COPY_IN = 'COPY copied FROM STDIN'
const COPY_OUT = 'COPY (SELECT i, i * 2 FROM generate_series(1, 3) i) TO STDOUT'
const BIG_ROWS = 20_000
const DONE = frame('c')

/** A table that only this session sees, and that is gone with it. */
const CREATE = 'CREATE TEMP TABLE copied (id int, name text)'
const COUNT = 'SELECT count(*) FROM copied'

const PROGRAM: Program = {
  'COPY out': {
    script: async (talk) => {
      await talk.run(
        COPY_OUT,
        `${COPY_OUT} (FORMAT csv, HEADER)`,
        `${COPY_OUT} (FORMAT binary)`,
        'COPY (SELECT 1/0) TO STDOUT',
        'COPY (SELECT 1 / (3 - i) FROM generate_series(1, 5) i) TO STDOUT',
        `${COPY_OUT}; SELECT 1; ${COPY_OUT}`,
        'COPY no_such_table TO STDOUT',
      )
      await talk.ask(parse('', COPY_OUT), bind('', ''), describe('P', ''), execute(), sync)
      await talk.ask(parse('', COPY_OUT), bind('', ''), execute('', 1), execute(), sync)
    },
  },
  'COPY in': {
    script: async (talk) => {
      await talk.run(CREATE)
      await copyIn(talk, COPY_IN, rowsOf('1\tone\n2\ttwo\n'), DONE)
      await copyIn(talk, COPY_IN, rowsOf('3\tth'), rowsOf('ree\n'), rowsOf(''), DONE)
      await copyIn(talk, COPY_IN, DONE)
      await copyIn(talk, `${COPY_IN} (FORMAT csv)`, rowsOf('4,"f,our"\n'), DONE)
      await copyIn(talk, `${COPY_IN} (FORMAT binary)`, BINARY, DONE)
      await copyIn(talk, COPY_IN, rowsOf('5\tfive\n\\.\n'), DONE)
      await talk.run('SELECT id + 0, upper(name) FROM copied ORDER BY id')
      await talk.send(query(`${COPY_IN}; SELECT 'between'; ${COPY_IN}; ${COUNT}`))
      await talk.upTo('G')
      await talk.send(rowsOf('7\tseven\n'), DONE)
      await talk.upTo('G')
      await talk.ask(rowsOf('8\teight\n'), DONE)
    },
  },
  'COPY in that fails': {
    script: async (talk) => {
      await talk.run(CREATE)
      await copyIn(talk, COPY_IN, rowsOf('1\tone\n'), frame('f', text('changed my mind')))
      await copyIn(talk, COPY_IN, rowsOf('x\tbad\n'), rowsOf('1\tone\n'), DONE)
      await copyIn(talk, COPY_IN, rowsOf('1\tone\textra\n'), DONE)
      await copyIn(talk, `${COPY_IN} (FORMAT binary)`, rowsOf('no header'), DONE)
      await talk.run(COUNT, 'COPY no_such_table FROM STDIN')
      // Leftovers of a copy that is over are ignored.
      await talk.ask(rowsOf('late\n'), DONE, frame('f', text('late')), query('SELECT 1'))
      await talk.run('BEGIN')
      await copyIn(talk, COPY_IN, rowsOf('bad\n'), DONE)
      await talk.run('SELECT 1', 'ROLLBACK', COUNT)
    },
  },
  'COPY in by the extended protocol': {
    script: async (talk) => {
      await talk.run(CREATE)
      const start = [parse('', COPY_IN), bind('', ''), execute()]
      await talk.send(...start, flush)
      await talk.upTo('G')
      await talk.ask(rowsOf('1\tone\n'), DONE, sync)
      await talk.ask(...start, rowsOf('2\ttwo\n'), DONE, sync)
      await talk.ask(...start, rowsOf('bad\n'), DONE, sync)
      await talk.ask(...start, rowsOf('3\tthree\n'), frame('f', text('no')), sync)
      await talk.ask(...start, rowsOf('4\t'), flush, rowsOf('four\n'), sync, DONE, sync)
      await talk.ask(
        ...[...start, rowsOf('5\tfive\n'), DONE],
        ...[parse('', 'SELECT 1'), bind('', ''), execute(), sync],
      )
      await talk.run(COUNT)
    },
  },
  'Sync in the middle of a copy': {
    script: async (talk) => {
      await talk.run(CREATE)
      await talk.send(parse('', COPY_IN), bind('', ''), execute(), sync)
      await talk.upTo('G')
      await talk.ask(rowsOf('1\tone\n'), sync, flush, rowsOf('2\ttwo\n'), DONE, sync)
      await talk.send(query(COPY_IN))
      await talk.upTo('G')
      await talk.ask(sync, rowsOf('3\tthree\n'), sync, DONE)
      await talk.run(COUNT)
    },
  },
  'other messages in the middle of a copy': {
    script: async (talk) => {
      await talk.run(CREATE)
      for (const message of [query('SELECT 1'), parse('', 'SELECT 1'), close('S', 'x')]) {
        await talk.send(query(COPY_IN))
        await talk.upTo('G')
        await talk.ask(rowsOf('1\tone\n'), message)
        await talk.run(COUNT)
      }
      await talk.send(parse('', COPY_IN), bind('', ''), execute(), flush)
      await talk.upTo('G')
      await talk.send(query('SELECT 1'))
      await talk.upTo('E')
      await talk.ask(sync)
      await talk.run(COUNT)
    },
  },
  'big copies': {
    isBulky: true,
    script: async (talk) => {
      await talk.run(
        'CREATE TEMP TABLE copied (id int, name text)',
        `COPY (SELECT i, repeat('x', i % 500) FROM generate_series(1, ${BIG_ROWS}) i) TO STDOUT`,
      )
      const lines = Array.from({ length: BIG_ROWS }, (_, id) => `${id}\t${'y'.repeat(id % 300)}\n`)
      await copyIn(talk, COPY_IN, rowsOf(lines.join('')), ...lines.map(rowsOf), DONE)
      await talk.run('SELECT count(*), sum(id), sum(length(name)) FROM copied')
    },
  },
}

/** One row: 6, `six`. */
const BINARY = frame(
  'd',
  Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1'),
  Buffer.alloc(8),
  Buffer.from('0002000000040000000600000003736978ffff', 'hex'),
)

function rowsOf(lines: string): Buffer {
  return frame('d', Buffer.from(lines))
}

/** Begins a copy, and sends its data only when the server has asked for it. */
async function copyIn(talk: Conversation, sql: string, ...data: readonly Buffer[]): Promise<void> {
  await talk.send(query(sql))
  await talk.upTo('G')
  await talk.ask(...data)
}

await perform(() => PROGRAM)
