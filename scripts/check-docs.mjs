import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import process from 'node:process'
import { capture, ROOT } from './run.mjs'

const UNWRITTEN = new Set(['node_modules', 'dist', 'coverage', '.git', '.tap', '.cache'])

const faults = [
  ...errorFaults(),
  ...settingFaults(),
  ...compatibilityFaults(),
  ...pages().flatMap(pageFaults),
]
for (const fault of faults) console.error(fault)
process.exitCode = faults.length > 0 ? 1 : 0

/** Every stable error code has a row in docs/errors.md, and every row a code. */
function errorFaults() {
  const codes = new Set(
    files('src', '.ts').flatMap((file) =>
      matches(read(file), /\bcode\b(?:\s*:[^=\n]+)? = '([A-Z][A-Z0-9_]*)'/g),
    ),
  )
  const rows = new Set(matches(readIfThere('docs/errors.md'), /^\|\s*`([A-Z][A-Z0-9_]*)`/gm))
  return [
    ...[...codes].filter((code) => !rows.has(code)).map((code) => `docs/errors.md lacks ${code}`),
    ...[...rows]
      .filter((row) => !codes.has(row))
      .map((row) => `docs/errors.md: nothing has ${row}`),
  ]
}

/** Every setting that the program knows is named in docs/config.md. */
function settingFaults() {
  const page = readIfThere('docs/config.md')
  return settingPaths()
    .filter((path) => !page.includes(`\`${path}\``))
    .map((path) => `docs/config.md lacks \`${path}\``)
}

/** The tests that docs/compatibility.md names in its last column are there. */
function compatibilityFaults() {
  const page = readIfThere('docs/compatibility.md')
  return matches(page, /\|([^|\n]+)\|$/gm)
    .flatMap((column) => matches(column, /`([^`]+)`/g))
    .filter((name) => !isTest(name))
    .map((name) => `docs/compatibility.md: there is no test ${name}`)
}

function isTest(name) {
  const path = join(ROOT, name.startsWith('test/') ? name : `test/integration/${name}`)
  return existsSync(`${path}.test.ts`) || (name.endsWith('/') && existsSync(path))
}

/** One path a line, first word, from `pgusher settings`; none before there is such a command. */
function settingPaths() {
  if (!existsSync(join(ROOT, 'src/cli/settings.ts'))) return []
  const listing = capture(process.execPath, ['dist/src/main.js', 'settings'])
  if (!listing) throw new Error('`node dist/src/main.js settings` failed or said nothing')
  return matches(listing, /^(\S+)/gm)
}

/** Links and paths of one page lead somewhere. */
function pageFaults(page) {
  // Fenced code may show links and paths of other projects.
  const text = read(page).replaceAll(/^```[\s\S]*?^```/gm, '')
  const links = matches(text, /\]\(([^)\s#]+)(?:#[^)\s]*)?(?:\s+"[^"]*")?\)/g)
    .filter((link) => !/^[a-z]+:/.test(link))
    .filter((link) => !existsSync(join(ROOT, dirname(page), decodeURI(link))))
    .map((link) => `${page}: link to ${link} leads nowhere`)
  const paths = matches(
    text,
    /\b((?:src|test|bench|examples|monitoring|scripts)\/[\w./-]+\.(?:ts|mjs|sql))\b/g,
  )
    .filter((path) => !existsSync(join(ROOT, path)))
    .map((path) => `${page}: names ${path}, which does not exist`)
  return [...links, ...paths]
}

function pages() {
  return files('.', '.md')
}

function files(dir, ending) {
  return readdirSync(join(ROOT, dir), { withFileTypes: true }).flatMap((entry) => {
    const path = relative(ROOT, join(ROOT, dir, entry.name))
    if (entry.isDirectory()) return UNWRITTEN.has(entry.name) ? [] : files(path, ending)
    return entry.name.endsWith(ending) ? [path] : []
  })
}

function read(file) {
  return readFileSync(join(ROOT, file), 'utf8')
}

function readIfThere(file) {
  return existsSync(join(ROOT, file)) ? read(file) : ''
}

function matches(text, pattern) {
  return [...text.matchAll(pattern)].map(([, found]) => found)
}
