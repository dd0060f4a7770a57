import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { PostgresBinaries } from './postgres-binaries.ts'
import type { Cluster } from './postgres-cluster.ts'
import { setRef, startWatchdog } from './watchdog.ts'

const READY = 'database system is ready to accept connections'
const PORT_TAKEN = 'could not create any TCP/IP sockets'
/** Children of a killed postmaster hold on to its memory until they have noticed. */
const STILL_HELD = 'pre-existing shared memory block'
const LOG_LIMIT_CHARS = 4 * 1024 * 1024
/** How long a polite signal is given before the next, ruder one. */
const PATIENCE_MS = 10_000

/** `fast` rolls back and closes all sessions, `immediate` drops everything on the spot. */
export type StopMode = 'fast' | 'immediate'

const ESCALATION: Readonly<Record<StopMode, readonly NodeJS.Signals[]>> = {
  fast: ['SIGINT', 'SIGQUIT', 'SIGKILL'],
  immediate: ['SIGQUIT', 'SIGKILL'],
}

/** Postgres gave up before it accepted connections. */
export class PostgresStartError extends Error {
  /** Trying again may help: on another port, or as soon as an earlier server is wholly gone. */
  readonly isTransient: boolean

  constructor(log: string) {
    super(`Postgres did not start:\n${log}`)
    this.name = 'PostgresStartError'
    this.isTransient = log.includes(PORT_TAKEN) || log.includes(STILL_HELD)
  }
}

/** One running `postgres` and what it has said. Dies with this process, however that dies. */
export class Postmaster {
  readonly #child: ChildProcess
  /** Settles when the postmaster and all its children are gone. Never rejects. */
  readonly #exited: Promise<void>
  #log = ''

  private constructor(child: ChildProcess, cluster: Cluster) {
    this.#child = child
    const dismissWatchdog = startWatchdog(this.pid, cluster.dir)
    this.#exited = new Promise((resolve) => {
      child.once('close', () => {
        dismissWatchdog()
        resolve()
      })
    })
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#log = (this.#log + text).slice(-LOG_LIMIT_CHARS)
    })
  }

  /** @throws PostgresStartError - it ended before it was ready. */
  static async start(cluster: Cluster, binaries: PostgresBinaries): Promise<Postmaster> {
    const child = spawn(join(binaries.binDir, 'postgres'), ['-D', cluster.dataDir], {
      ...binaries.owner,
      cwd: cluster.dir,
      env: { LC_ALL: 'C.UTF-8', PATH: '/usr/bin:/bin' },
      stdio: ['ignore', 'ignore', 'pipe'],
      // Out of the terminal's reach: Ctrl-C is for the process that owns this server.
      detached: true,
    })
    await once(child, 'spawn')
    const postmaster = new Postmaster(child, cluster)
    await postmaster.#ready()
    return postmaster
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error('Postgres was not started')
    return this.#child.pid
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  log(): string {
    return this.#log
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  /** Ends it, with more force each time that patience runs out. */
  async stop(mode: StopMode): Promise<void> {
    setRef(this.#child, true)
    for (const signal of this.isRunning ? ESCALATION[mode] : []) {
      this.#child.kill(signal)
      if (await this.#exitsSoon()) break
    }
    await this.#exited
  }

  async #exitsSoon(): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, PATIENCE_MS, false)
      void this.#exited.then(() => {
        clearTimeout(timer)
        resolve(true)
      })
    })
  }

  async #ready(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#child.stderr?.on('data', () => {
        if (this.#log.includes(READY)) resolve()
      })
      void this.#exited.then(() => reject(new PostgresStartError(this.#log)))
    })
    // A test that forgets to stop its server still ends; the watchdog cleans up after it.
    setRef(this.#child, false)
  }
}
