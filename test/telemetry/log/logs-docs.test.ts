import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { LOG_EVENTS } from '../../../src/base/log-events.ts'

const ROOT = join(import.meta.dirname, '../../../..')
const LIST = 'base/log-events.ts'

/** Everything that could write an event, but for the list of them. */
const source = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts') && file !== LIST)
  .map((file) => readFileSync(join(ROOT, 'src', file), 'utf8'))
  .join('\n')

const rows = readFileSync(join(ROOT, 'docs/logs.md'), 'utf8')
  .split('\n## ')
  .filter((section) => section.startsWith('Events'))
  .flatMap((section) => [...section.matchAll(/^\| `([^`]+)` \| ([^|]+) \| ([^|]+) \|/gm)])
  .map(([, event = '', level = '', fields = '']) => ({ event, level, fields }))

t.test('the page has a row for each event, and no others', async (t) => {
  t.strictSame(rows.map(({ event }) => event).sort(), [...LOG_EVENTS].sort())
})

t.test('each event is written somewhere', async (t) => {
  for (const event of LOG_EVENTS) t.ok(source.includes(`'${event}'`), event)
})

t.test('each row has the level that the source gives it', async (t) => {
  for (const { event, level } of rows) {
    const [, written] =
      source.match(new RegExp(`\\.(debug|info|warn|error)\\(\\s*'${event}'`)) ??
      source.match(new RegExp(`tell(?:OfStatement)?\\(\\s*'(\\w+)',\\s*'${event}'`)) ??
      []
    if (written === undefined) t.match(level, /as its cause|^info/, event)
    else t.match(level, written, event)
  }
})
