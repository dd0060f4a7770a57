import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import type { Test } from 'tap'
import type { Seat } from './driver-seats.ts'

const DEADLINE_MS = 60_000

export interface Program {
  readonly command: string
  readonly args?: readonly string[]
  /** Besides what `seatEnvironment` gives, and over it. */
  readonly env?: Readonly<Record<string, string>>
  /** Written to its standard input, which ends behind it. For `runTool` only. */
  readonly input?: string
}

/** A program that reports its checks; see `runProgram`. */
export interface CheckedProgram extends Program {
  /** Every check that it reports, each once, in any order. Others fail. */
  readonly checks: readonly string[]
  /**
   * `steadily`: others use the server connections all the time. `asked`: only when the program
   * prints `{"swap": <pid>}`, the process of the server connection of its last transaction; it
   * then reads a line, behind which its next transaction runs on another server connection
   * (in session mode: behind which others have worked). It holds no lease meanwhile.
   * `{"swap": 0}` disturbs and holds nothing; for clients that are pinned.
   *
   * @defaultValue `'steadily'`
   */
  readonly disturbed?: 'steadily' | 'asked'
}

/** What a finished program left. */
export interface Finished {
  /** `null` when it was killed, after a minute. */
  readonly exitCode: number | null
  readonly stdout: string
  readonly stderr: string
}

/**
 * Runs a program that tests a driver, and makes a subtest of each of its checks. It finds its
 * connection data in `seatEnvironment`, prints `{"check": "name", "ok": true, "detail": …}` for
 * each check, one line each (`detail`, of any type, is optional), and exits with 0. Lines that are
 * no JSON object are shown and otherwise ignored. A program that is not there, fails, or leaves a
 * check out fails the test.
 */
export async function runProgram(t: Test, seat: Seat, program: CheckedProgram): Promise<void> {
  const { disturbed = 'steadily' } = program
  const running = start(seat, program)
  if (disturbed === 'steadily') running.child.stdin.end()
  const reports = readReports(t, seat, running)
  const finished = Promise.all([reports, running.stderr, running.exitCode])
  const [found, stderr, exitCode] =
    disturbed === 'steadily' ? await seat.disturbers.during(finished) : await finished
  await seat.disturbers.letGo()
  for (const name of program.checks) {
    const [report, ...more] = found.filter(({ check }) => check === name)
    await t.test(name, async (t) => {
      t.equal(report?.ok, true, 'reported as ok', { detail: report?.detail })
      t.strictSame(more, [], 'reported once')
    })
  }
  const unexpected = found.filter(({ check }) => !program.checks.includes(check))
  t.strictSame(unexpected, [], 'nothing but the checks that were named')
  t.equal(exitCode, 0, `${program.command} succeeded`, { stderr })
}

/** Runs a program that reports in its own way, such as psql, while others work. */
export async function runTool(seat: Seat, program: Program): Promise<Finished> {
  const { child, stderr, exitCode } = start(seat, program)
  child.stdin.end(program.input ?? '')
  const finished = Promise.all([exitCode, text(child.stdout), stderr])
  const [code, stdout, errors] = await seat.disturbers.during(finished)
  return { exitCode: code, stdout, stderr: errors }
}

/**
 * The environment of a program at a seat: libpq's variables (PGHOST, PGPORT, PGUSER = `app.acme`,
 * PGPASSWORD, PGDATABASE), and PGUSHER_TENANT, PGUSHER_LOGIN (`app`), PGUSHER_MODE,
 * PGUSHER_STRATEGY and PGUSHER_MAJOR. Of this process it has PATH, HOME and LANG alone.
 */
export function seatEnvironment(seat: Seat): Record<string, string> {
  const { PATH = '', HOME = '', LANG = 'C.UTF-8' } = process.env
  return {
    PATH,
    HOME,
    LANG,
    PGHOST: seat.host,
    PGPORT: String(seat.port),
    PGUSER: seat.user,
    PGPASSWORD: seat.password,
    PGDATABASE: seat.database,
    PGUSHER_TENANT: seat.tenant,
    PGUSHER_LOGIN: seat.login,
    PGUSHER_MODE: seat.mode,
    PGUSHER_STRATEGY: seat.strategy,
    PGUSHER_MAJOR: String(seat.major),
  }
}

interface Report {
  readonly check: string
  readonly ok: boolean
  readonly detail?: unknown
}

type Running = ReturnType<typeof start>

function start(seat: Seat, { command, args = [], env = {} }: Program) {
  const child = spawn(command, args, {
    env: { ...seatEnvironment(seat), ...env },
  })
  // spawn's own timeout outlives a program that was not found.
  const deadline = setTimeout(() => child.kill('SIGKILL'), DEADLINE_MS)
  // A program that ends without reading is judged by its exit code.
  child.stdin.on('error', () => {})
  const exitCode = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  }).finally(() => clearTimeout(deadline))
  return { child, stderr: text(child.stderr), exitCode }
}

async function readReports(t: Test, seat: Seat, { child }: Running): Promise<readonly Report[]> {
  const reports: Report[] = []
  for await (const line of createInterface({ input: child.stdout })) {
    const message = parseLine(line)
    if (message === undefined) t.comment(line)
    else if (typeof message['swap'] === 'number') {
      await swap(seat, message['swap'])
      child.stdin.write('swapped\n')
    } else reports.push(message as unknown as Report)
  }
  return reports
}

function swap({ disturbers }: Seat, pid: number): Promise<void> {
  return pid === 0 ? disturbers.disturb() : disturbers.hold(pid)
}

function parseLine(line: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'object' && value !== null ? { ...value } : undefined
  } catch {
    return undefined
  }
}
