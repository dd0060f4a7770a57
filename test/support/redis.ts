import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, constants } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { Redis } from 'ioredis'
import type { TestAuthority } from './certificates.ts'
import { setRef, startWatchdog } from './watchdog.ts'

const PORT_TAKEN = 'Address already in use'
const READY = /Ready to accept connections|\+monitor master/
const LOG_LIMIT_CHARS = 1024 * 1024
const PORT_TRIES = 5
const PATIENCE_MS = 5000

/** How a server of a test differs from a bare one without persistence. */
export interface RedisServerOptions {
  /** Further arguments of `redis-server`, such as `['--maxmemory', '2mb']`. */
  readonly args?: readonly string[]
  /** Speaks TLS only, with a certificate for 127.0.0.1 that this authority has signed. */
  readonly authority?: TestAuthority
  /** With this configuration file's text it is a sentinel. */
  readonly sentinel?: string
}

/** A real redis-server in a folder of its own. Dies with this process, however that dies. */
export class RedisServer {
  readonly port: number
  readonly dir: string
  readonly #options: RedisServerOptions
  readonly #certificate: readonly string[]
  #child: ChildProcess | undefined
  #exited: Promise<void> = Promise.resolve()
  #log = ''

  private constructor(
    place: { port: number; dir: string },
    options: RedisServerOptions,
    tls: readonly string[],
  ) {
    this.port = place.port
    this.dir = place.dir
    this.#options = options
    this.#certificate = tls
  }

  /** @throws Error - there is no redis-server, or it does not start. */
  static async start(options: RedisServerOptions = {}): Promise<RedisServer> {
    const certificate = await certificateArgs(options.authority)
    for (let tries = 1; ; tries += 1) {
      const dir = await mkdtemp(join(tmpdir(), 'pgusher-redis-'))
      const server = new RedisServer({ port: await freePort(), dir }, options, certificate)
      try {
        await server.#run()
        return server
      } catch (error) {
        await server.stop()
        if (tries === PORT_TRIES || !server.log().includes(PORT_TAKEN)) throw error
      }
    }
  }

  get url(): string {
    return `${this.#options.authority ? 'rediss' : 'redis'}://127.0.0.1:${this.port}`
  }

  get isRunning(): boolean {
    return this.#child?.exitCode === null && this.#child.signalCode === null
  }

  log(): string {
    return this.#log
  }

  /** A connection for the test's own questions and edits; the test closes it. */
  connect(): Redis {
    const tls = this.#options.authority && { tls: { ca: this.#options.authority.own.cert } }
    const redis = new Redis({ host: '127.0.0.1', port: this.port, replyMapping: 'legacy', ...tls })
    return redis.on('error', () => {})
  }

  /** Runs one command over a connection of its own. */
  async run(...[command = '', ...args]: readonly string[]): Promise<unknown> {
    const redis = this.connect()
    try {
      return await redis.call(command, args)
    } finally {
      redis.disconnect()
    }
  }

  /** It goes on listening, and answers nothing. */
  pause(): void {
    this.#child?.kill('SIGSTOP')
  }

  resume(): void {
    this.#child?.kill('SIGCONT')
  }

  /** Ends it on the spot. {@link restart} brings it back empty. */
  async kill(): Promise<void> {
    if (this.#child !== undefined) setRef(this.#child, true)
    this.#child?.kill('SIGKILL')
    await this.#exited
  }

  /** Comes back on the same port, and without persistence empty. */
  async restart(): Promise<void> {
    await this.kill()
    await this.#run()
  }

  /** Ends it and removes its folder. */
  async stop(): Promise<void> {
    await this.kill()
    await rm(this.dir, { recursive: true, force: true })
  }

  async #run(): Promise<void> {
    this.#log = ''
    const child = spawn(findRedisServer(), await this.#args(), {
      cwd: this.dir,
      stdio: ['ignore', 'pipe', 'pipe'],
      // Out of the terminal's reach: Ctrl-C is for the process that owns this server.
      detached: true,
    })
    this.#child = child
    await once(child, 'spawn')
    const dismiss = startWatchdog(child.pid ?? 0, this.dir)
    this.#exited = once(child, 'close').then(dismiss)
    await this.#ready(child)
    setRef(child, false)
  }

  async #args(): Promise<readonly string[]> {
    const { args = [], sentinel } = this.#options
    const port = this.#certificate.length > 0 ? '--tls-port' : '--port'
    const own = [port, String(this.port), '--bind', '127.0.0.1', ...this.#certificate, ...args]
    if (sentinel === undefined)
      return [...own, '--save', '', '--appendonly', 'no', '--repl-diskless-sync-delay', '0']
    const file = join(this.dir, 'sentinel.conf')
    await writeFile(file, sentinel)
    return [file, '--sentinel', ...own]
  }

  async #ready(child: ChildProcess): Promise<void> {
    const timeout = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS)
    const isReady = await new Promise<boolean>((resolve) => {
      for (const output of [child.stdout, child.stderr]) {
        output?.setEncoding('utf8').on('data', (text: string) => {
          this.#log = (this.#log + text).slice(-LOG_LIMIT_CHARS)
          if (READY.test(this.#log)) resolve(true)
        })
      }
      void this.#exited.then(() => resolve(false))
    })
    clearTimeout(timeout)
    if (!isReady) throw new Error(`redis-server did not start:\n${this.#log}`)
  }
}

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

async function certificateArgs(authority: TestAuthority | undefined): Promise<readonly string[]> {
  if (authority === undefined) return []
  const altNames = ['IP:127.0.0.1']
  const { certFile, keyFile } = await authority.issue({ commonName: 'redis', altNames })
  const files = ['--tls-cert-file', certFile, '--tls-key-file', keyFile]
  return [
    '--port',
    '0',
    ...files,
    '--tls-ca-cert-file',
    authority.caFile,
    '--tls-auth-clients',
    'no',
  ]
}

function findRedisServer(): string {
  const given = process.env['REDIS_SERVER_BIN']
  if (given !== undefined) return given
  for (const dir of (process.env['PATH'] ?? '').split(delimiter).filter(Boolean)) {
    const program = join(dir, 'redis-server')
    if (isExecutable(program)) return program
  }
  throw new Error('There is no redis-server: set REDIS_SERVER_BIN, or put it on the PATH.')
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
