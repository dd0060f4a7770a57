import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { probePort } from './postgres-cluster.ts'
import { until } from './until.ts'
import { setRef, startWatchdog } from './watchdog.ts'

const RULES = 'helm/pgusher/files/rules'
const START_DEADLINE_MS = 60_000
const POLL_MS = 100
const LOG_LIMIT_CHARS = 1024 * 1024

export interface PrometheusOptions {
  /** Ports on loopback to be scraped, as the job `pgusher`. */
  readonly ports: readonly number[]
  /** Between scrapes, and between evaluations of rules, such as `200ms`. */
  readonly interval: string
}

/** One series of an answer. */
export interface Sample {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** One series over time. */
export interface Series {
  readonly labels: Readonly<Record<string, string>>
  /** Unix time in seconds, and the value then. */
  readonly points: readonly (readonly [seconds: number, value: number])[]
}

export interface Rule {
  readonly name: string
  readonly health: 'ok' | 'err' | 'unknown'
  readonly lastError?: string
  readonly state: 'inactive' | 'pending' | 'firing'
  readonly alerts: readonly { readonly labels: Readonly<Record<string, string>> }[]
}

/** Debian's Prometheus with the chart's rules, in which a second stands for a minute. */
export class Prometheus {
  readonly #url: string
  readonly #child: ChildProcess
  readonly #dir: string
  readonly #exited: Promise<unknown>
  readonly #dismissWatchdog: () => void
  #log = ''

  private constructor(child: ChildProcess, place: { dir: string; port: number }) {
    this.#child = child
    this.#dir = place.dir
    this.#url = `http://127.0.0.1:${place.port}`
    this.#exited = once(child, 'close')
    this.#dismissWatchdog = startWatchdog(child.pid ?? 0, place.dir)
    child.stderr?.on('data', (chunk: Buffer) => {
      this.#log = (this.#log + chunk.toString()).slice(-LOG_LIMIT_CHARS)
    })
    setRef(child, false)
  }

  /** @throws Error - there is no `prometheus` on the PATH, or it does not start. */
  static async start(options: PrometheusOptions): Promise<Prometheus> {
    const dir = await mkdtemp(join(tmpdir(), 'pgusher-prometheus-'))
    const port = await probePort()
    await writeFile(join(dir, 'prometheus.yml'), stringify(configuration(options)))
    await copyRules(join(dir, 'rules'))
    const child = spawn(
      'prometheus',
      [
        `--config.file=${join(dir, 'prometheus.yml')}`,
        `--storage.tsdb.path=${join(dir, 'data')}`,
        `--web.listen-address=127.0.0.1:${port}`,
        '--log.level=warn',
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    )
    await once(child, 'spawn')
    const prometheus = new Prometheus(child, { dir, port })
    try {
      await until(() => prometheus.#isReady(), START_DEADLINE_MS, POLL_MS)
      return prometheus
    } catch (error) {
      await prometheus.stop()
      throw new Error(`Prometheus did not start:\n${prometheus.#log}`, { cause: error })
    }
  }

  /** The series that a query finds at this moment. */
  async query(expr: string): Promise<readonly Sample[]> {
    const { result } = await this.#ask<{ result: readonly VectorJson[] }>('query', { query: expr })
    return result.map(({ metric, value: [, value] }) => ({ labels: metric, value: Number(value) }))
  }

  /** The only value that a query finds; `undefined` when it finds nothing. */
  async value(expr: string): Promise<number | undefined> {
    const samples = await this.query(expr)
    if (samples.length > 1) throw new Error(`${samples.length} series, not one: ${expr}`)
    return samples[0]?.value
  }

  /** The series that a query finds between two moments, in Unix time, every `stepSeconds`. */
  async range(
    expr: string,
    { start, end, stepSeconds }: { start: number; end: number; stepSeconds: number },
  ): Promise<readonly Series[]> {
    const { result } = await this.#ask<{ result: readonly MatrixJson[] }>('query_range', {
      query: expr,
      start: String(start),
      end: String(end),
      step: String(stepSeconds),
    })
    return result.map(({ metric, values }) => ({
      labels: metric,
      points: values.map(([seconds, value]) => [seconds, Number(value)] as const),
    }))
  }

  /** All rules, with what became of them when they were last evaluated. */
  async rules(): Promise<readonly Rule[]> {
    const { groups } = await this.#ask<{ groups: readonly { rules: readonly Rule[] }[] }>('rules')
    return groups.flatMap(({ rules }) => rules)
  }

  /** Ends it and removes its data. */
  async stop(): Promise<void> {
    setRef(this.#child, true)
    this.#child.kill('SIGKILL')
    await this.#exited
    this.#dismissWatchdog()
    await rm(this.#dir, { recursive: true, force: true })
  }

  async #isReady(): Promise<boolean> {
    if (this.#child.exitCode !== null) throw new Error('it ended')
    const response = await fetch(`${this.#url}/-/ready`).catch(() => undefined)
    return response?.ok ?? false
  }

  async #ask<Answer>(path: string, params: Readonly<Record<string, string>> = {}): Promise<Answer> {
    const response = await fetch(`${this.#url}/api/v1/${path}?${new URLSearchParams(params)}`)
    const body = (await response.json()) as AnswerJson<Answer>
    if (body.status === 'error') throw new Error(`${body.error}: ${params['query'] ?? path}`)
    return body.data
  }
}

type AnswerJson<Data> =
  | { readonly status: 'success'; readonly data: Data }
  | { readonly status: 'error'; readonly error: string }

interface VectorJson {
  readonly metric: Readonly<Record<string, string>>
  readonly value: readonly [number, string]
}

interface MatrixJson {
  readonly metric: Readonly<Record<string, string>>
  readonly values: readonly (readonly [number, string])[]
}

function configuration({ ports, interval }: PrometheusOptions): unknown {
  const targets = ports.map((port) => `127.0.0.1:${port}`)
  return {
    global: { scrape_interval: interval, scrape_timeout: interval, evaluation_interval: interval },
    rule_files: ['rules/*.yaml'],
    scrape_configs: [{ job_name: 'pgusher', static_configs: [{ targets }] }],
  }
}

async function copyRules(to: string): Promise<void> {
  await mkdir(to)
  for (const name of await readdir(RULES)) {
    await writeFile(join(to, name), hasten(await readFile(join(RULES, name), 'utf8')))
  }
}

/** Makes minutes of hours and seconds of minutes; nothing else changes. */
function hasten(rules: string): string {
  return rules
    .replaceAll(/((?:for: |\[|offset )\d+)m\b/g, '$1s')
    .replaceAll(/((?:for: |\[|offset )\d+)h\b/g, '$1m')
}
