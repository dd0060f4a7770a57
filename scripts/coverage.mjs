import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from './run.mjs'

const TAP_REPORT = join(ROOT, '.tap', 'report', 'lcov.info')
const REPORT_DIR = join(ROOT, 'coverage')

/**
 * Writes coverage/lcov.info for src/ alone, with every file that no test loaded (V8 knows nothing
 * of those), and prints a summary by room. Returns the covered share of lines in percent.
 */
export function reportCoverage() {
  const records = existsSync(TAP_REPORT) ? readRecords() : []
  const loaded = new Set(records.map((record) => record.file))
  const untouched = sourceFiles()
    .filter((file) => !loaded.has(file))
    .map(untouchedRecord)
    .filter((record) => record.lines > 0)
  const all = [...records, ...untouched].sort((a, b) => a.file.localeCompare(b.file))
  mkdirSync(REPORT_DIR, { recursive: true })
  writeFileSync(join(REPORT_DIR, 'lcov.info'), all.map((record) => record.text).join(''))
  printSummary(all)
  return share(all)
}

function readRecords() {
  return readFileSync(TAP_REPORT, 'utf8')
    .split(/(?<=end_of_record\n)/)
    .map((text) => ({
      file: text.match(/^SF:(.+)$/m)?.[1] ?? '',
      lines: Number(text.match(/^LF:(\d+)$/m)?.[1] ?? 0),
      hit: Number(text.match(/^LH:(\d+)$/m)?.[1] ?? 0),
      text,
    }))
    .filter((record) => record.file.startsWith('src/'))
}

/** A file of types alone compiles to nothing and counts for nothing. */
function untouchedRecord(file) {
  const compiled = readFileSync(join(ROOT, 'dist', file.replace(/\.ts$/, '.js')), 'utf8')
  const code = compiled.replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$|export \{\};/gm, '')
  if (code.trim() === '') return { file, lines: 0, hit: 0, text: '' }
  const lines = readFileSync(join(ROOT, file), 'utf8').trimEnd().split('\n').length
  const misses = Array.from({ length: lines }, (_, index) => `DA:${index + 1},0\n`).join('')
  return {
    file,
    lines,
    hit: 0,
    text: `TN:\nSF:${file}\n${misses}LF:${lines}\nLH:0\nend_of_record\n`,
  }
}

function sourceFiles() {
  return readdirSync(join(ROOT, 'src'), { recursive: true })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => `src/${name}`)
}

function printSummary(records) {
  console.log('\nLines of src/ covered by tests:')
  for (const room of new Set(records.map(roomOf))) {
    const files = records.filter((record) => roomOf(record) === room)
    console.log(row(room, files))
  }
  console.log(row('all', records))
  const poor = records.filter((record) => share([record]) < 50)
  for (const record of poor) console.log(`  below half: ${row(record.file, [record]).trim()}`)
}

function row(name, records) {
  const { hit, lines } = sum(records)
  return `  ${name.padEnd(12)} ${share(records).toFixed(1).padStart(5)} %  ${hit} of ${lines}`
}

function share(records) {
  const { hit, lines } = sum(records)
  return lines === 0 ? 100 : (100 * hit) / lines
}

function sum(records) {
  return records.reduce(
    (total, { hit, lines }) => ({ hit: total.hit + hit, lines: total.lines + lines }),
    { hit: 0, lines: 0 },
  )
}

function roomOf({ file }) {
  return file.split('/')[1]
}
