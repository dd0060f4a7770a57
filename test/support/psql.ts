import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { findPostgres } from './postgres-binaries.ts'

const PSQL = '/usr/bin/psql'
const DEADLINE_MS = 30_000

/** How psql connects and what it does. */
export interface PsqlRun {
  /** Connection parameters of libpq. */
  readonly connection: Readonly<Record<string, string | number>>
  readonly sql: string
  /** Debian's own libpq, or that of Postgres 18. */
  readonly libpq: 15 | 18
}

/** What psql said. */
export interface PsqlResult {
  readonly exitCode: number | null
  /** Without the newline at its end. */
  readonly stdout: string
  readonly stderr: string
}

/** Runs Debian's psql, whose libpq may be exchanged for a newer one. */
export async function runPsql({ connection, sql, libpq }: PsqlRun): Promise<PsqlResult> {
  const target = Object.entries(connection)
    .map(([name, value]) => `${name}='${value}'`)
    .join(' ')
  const { libDir } = await findPostgres(18)
  const child = spawn(PSQL, ['-X', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-d', target, '-c', sql], {
    env: { LANG: 'C', HOME: '/nonexistent', ...(libpq === 18 ? { LD_LIBRARY_PATH: libDir } : {}) },
    timeout: DEADLINE_MS,
  })
  child.stdin.end()
  const closed = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  const [stdout, stderr, exitCode] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    closed,
  ])
  return { exitCode, stdout: stdout.trimEnd(), stderr }
}
