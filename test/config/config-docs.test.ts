import { readFileSync } from 'node:fs'
import t from 'tap'
import { settingPaths } from '../../src/config/sources/setting-paths.ts'

/** The cells of every table row of the page, by the first one. */
function readRows(): Map<string, readonly string[]> {
  const rows = new Map<string, readonly string[]>()
  for (const line of readFileSync('docs/config.md', 'utf8').split('\n')) {
    const [, path, ...cells] = line.split(/(?<!\\)\|/).map((cell) => cell.trim())
    if (path?.startsWith('`')) rows.set(path.slice(1, -1), cells)
  }
  return rows
}

const documented = readRows()
for (const { path, description, type, default: standard, variable } of settingPaths()) {
  t.test(`docs/config.md is right about ${path}`, async (t) => {
    const [meaning, writtenType, writtenDefault, writtenVariable] = documented.get(path) ?? []
    t.ok(description.length > 0)
    t.equal(meaning, description)
    t.equal(writtenType, type)
    t.equal(writtenDefault, standard === undefined ? '–' : `\`${standard}\``)
    t.equal(writtenVariable, variable === undefined ? '–' : `\`${variable}\``)
  })
}

t.test('docs/config.md names no setting that is gone', async (t) => {
  const known = new Set(settingPaths().map(({ path }) => path))
  const strangers = [...documented]
    .filter(([path, cells]) => cells.length === 5 && !known.has(path))
    .map(([path]) => path)
  t.strictSame(strangers, [])
})
