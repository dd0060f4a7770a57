import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'

/** The compiled sources and tests, this file among them. */
const DIST = join(dirname(fileURLToPath(import.meta.url)), '../..')
const ROOT = dirname(DIST)
const COPIED = ['src', 'test/support', 'test/isolation']
const DEADLINE_MS = 240_000

const isCode = (path: string) => !path.endsWith('.map')

/** One place in the compiled code, and what is to stand there. */
export interface CodeChange {
  /** In `src/`, such as `tenancy/link.js`. */
  readonly file: string
  /** Stands in it exactly once. */
  readonly before: string
  readonly after: string
}

/** A copy of the compiled code in a folder of its own, changed in one place or none. */
export class ChangedBuild {
  readonly #folder: string

  private constructor(folder: string) {
    this.#folder = folder
  }

  /** @throws AssertionError - the text to be changed is not there, or not once. */
  static async make(change?: CodeChange): Promise<ChangedBuild> {
    const folder = await mkdtemp(join(tmpdir(), 'pgusher-changed-'))
    const build = new ChangedBuild(folder)
    try {
      for (const part of COPIED) {
        await mkdir(dirname(join(folder, 'dist', part)), { recursive: true })
        await cp(join(DIST, part), join(folder, 'dist', part), { recursive: true, filter: isCode })
      }
      await cp(join(ROOT, 'package.json'), join(folder, 'package.json'))
      await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
      if (change !== undefined) await build.#change(change)
      return build
    } catch (error) {
      await build.remove()
      throw error
    }
  }

  /**
   * Runs a compiled program of `test/` with it, to its end.
   *
   * @returns What it printed.
   * @throws AssertionError - it failed, or was killed after four minutes.
   */
  async run(program: string, args: readonly string[]): Promise<string> {
    const file = join(this.#folder, 'dist/test', program)
    const child = spawn(process.execPath, [file, ...args], {
      env: { TMPDIR: tmpdir() },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const deadline = setTimeout(() => child.kill('SIGKILL'), DEADLINE_MS)
    const ended = once(child, 'close').finally(() => clearTimeout(deadline))
    const [stdout, stderr, [exitCode]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      ended,
    ])
    assert.equal(exitCode, 0, `${program} failed: ${stderr}`)
    return stdout
  }

  async remove(): Promise<void> {
    await rm(this.#folder, { recursive: true })
  }

  async #change({ file, before, after }: CodeChange): Promise<void> {
    const path = join(this.#folder, 'dist/src', file)
    const code = await readFile(path, 'utf8')
    assert.equal(code.split(before).length, 2, `${file} has it once: ${before}`)
    await writeFile(
      path,
      code.replace(before, () => after),
    )
  }
}
