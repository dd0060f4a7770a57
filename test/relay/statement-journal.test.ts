import t from 'tap'
import { StatementJournal } from '../../src/relay/statement-journal.ts'
import { bind, execute, frame, int16, int32, parse, query, sync } from '../support/raw-client.ts'

/** What is remembered behind these frames; each stands behind something else in its chunk. */
function textBehind(frames: readonly Buffer[], journal = new StatementJournal()) {
  const before = Buffer.from('before')
  for (const bytes of frames) {
    const chunk = Buffer.concat([before, bytes, Buffer.from('behind\0')])
    const code = bytes[0] ?? 0
    journal.note({ code, chunk, start: before.length, frameBytes: bytes.length })
  }
  return journal.text
}

const CALL = frame('F', int32(2078), int16(0), int16(0), int16(0))

const ROWS = [
  { name: 'nothing yet', frames: [], text: undefined },
  { name: 'a simple query', frames: [query('SELECT 1')], text: 'SELECT 1' },
  { name: 'the last of two', frames: [query('SELECT 1'), query('SELECT 2')], text: 'SELECT 2' },
  { name: 'a Parse, named', frames: [parse('s1', 'SELECT 3')], text: 'SELECT 3' },
  { name: 'a Parse, unnamed', frames: [parse('', 'SELECT 4')], text: 'SELECT 4' },
  {
    name: 'a statement that was parsed in the same batch',
    frames: [parse('', 'SELECT 5'), bind('', ''), execute(), sync],
    text: 'SELECT 5',
  },
  {
    name: 'a statement that was parsed before, which may be any',
    frames: [parse('s1', 'SELECT 6'), sync, query('SELECT 7'), bind('', 's1')],
    text: undefined,
  },
  { name: 'a call of a function', frames: [query('SELECT 8'), CALL], text: undefined },
  { name: 'characters beyond ASCII', frames: [query("SELECT 'é'")], text: "SELECT 'é'" },
  { name: 'an empty one', frames: [query('')], text: '' },
  { name: 'a long one', frames: [query('x'.repeat(2000))], text: `${'x'.repeat(1000)}…` },
] as const

for (const { name, frames, text } of ROWS) {
  t.test(name, async (t) => t.equal(textBehind(frames), text))
}

t.test('what is bound in transaction mode is known', async (t) => {
  const journal = new StatementJournal()
  textBehind([parse('s1', 'SELECT 1'), sync, query('SELECT 2'), bind('', 's1')], journal)
  journal.bound(Buffer.from('SELECT 1\0\0\0'))
  t.equal(journal.text, 'SELECT 1')
})

t.test('a frame whose end has not come', async (t) => {
  const journal = new StatementJournal()
  const bytes = query('SELECT 1234567')
  const chunk = bytes.subarray(0, bytes.length - 5)
  journal.note({ code: bytes[0] ?? 0, chunk, start: 0, frameBytes: bytes.length })
  t.equal(journal.text, 'SELECT 123…')
})

t.test('the chunk is not held', async (t) => {
  const journal = new StatementJournal()
  const chunk = query('SELECT 1')
  journal.note({ code: chunk[0] ?? 0, chunk, start: 0, frameBytes: chunk.length })
  chunk.fill(0)
  t.equal(journal.text, 'SELECT 1')
})
