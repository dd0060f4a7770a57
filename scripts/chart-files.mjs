import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { capture, ROOT } from './run.mjs'
import { valuesSchema } from './values-schema.mjs'

/** Writes what is generated in the chart, or with --check says what is out of date. */
const { values } = parseArgs({
  options: {
    check: { type: 'boolean', default: false },
    chart: { type: 'string', default: join(ROOT, 'helm', 'pgusher') },
  },
})
process.exitCode = await main(values)

async function main({ chart, check }) {
  const config = join(ROOT, 'dist/src/config/config-schema.js')
  if (!existsSync(config)) throw new Error('Run npm run build first: the settings are read there')
  const { configSchema } = await import(config)
  const schema = valuesSchema(configSchema, readFileSync(join(chart, 'values.yaml'), 'utf8'))
  const stale = [
    ['values.schema.json', `${JSON.stringify(schema, null, 2)}\n`],
    ['README.md', readme(chart)],
  ].filter(([file, text]) => !isSame(join(chart, file), text))
  for (const [file, text] of stale) {
    if (check) console.error(`${relative(ROOT, join(chart, file))} is out of date: npm run chart`)
    else writeFileSync(join(chart, file), text)
  }
  return check && stale.length > 0 ? 1 : 0
}

function isSame(file, text) {
  return existsSync(file) && readFileSync(file, 'utf8') === text
}

/** The README with its table of parameters made anew; the rest of it is written by hand. */
function readme(chart) {
  const draft = mkdtempSync(join(tmpdir(), 'pgusher-chart-'))
  try {
    const [page, source] = ['README.md', 'values.yaml'].map((file) => join(draft, file))
    cpSync(join(chart, 'README.md'), page)
    cpSync(join(chart, 'values.yaml'), source)
    const program = join(ROOT, 'node_modules/.bin/readme-generator')
    if (capture(program, ['--readme', page, '--values', source]) === undefined) {
      throw new Error(`readme-generator refuses ${join(chart, 'values.yaml')}: run it to see why`)
    }
    return readFileSync(page, 'utf8')
  } finally {
    rmSync(draft, { recursive: true })
  }
}
