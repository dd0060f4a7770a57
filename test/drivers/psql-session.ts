import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { text } from 'node:stream/consumers'
import type { Test } from 'tap'

const PROGRAM = 'psql'
const OPTIONS = ['-X', '-q', '-A', '-t', '-v', 'VERBOSITY=sqlstate']
const END_OF_ANSWER = 'answered'

/** A psql that is typed to, line by line, as somebody at a terminal would. */
export class PsqlSession {
  readonly #child: ChildProcess & { readonly stdin: Writable; readonly stdout: Readable }
  readonly #lines: AsyncIterator<string>
  readonly #errors: Promise<string>

  /**
   * @param t - Ends it at the latest.
   * @param env - Of psql; libpq's variables say where to connect.
   */
  constructor(t: Pick<Test, 'teardown'>, env: Readonly<Record<string, string>>) {
    const child = spawn(PROGRAM, OPTIONS, { env, stdio: 'pipe' })
    this.#child = child
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    this.#errors = text(child.stderr)
    t.teardown(() => {
      child.kill('SIGKILL')
    })
  }

  /** @returns the lines of output that `input` (SQL and commands of psql) led to. */
  async ask(input: string): Promise<readonly string[]> {
    this.type(`${input}\n\\echo ${END_OF_ANSWER}`)
    const answer: string[] = []
    for (;;) {
      const line = await this.#lines.next()
      if (line.done === true) throw new Error(`psql ended: ${await this.#errors}`)
      if (line.value === END_OF_ANSWER) return answer
      answer.push(line.value)
    }
  }

  /** Waits for nothing. */
  type(input: string): void {
    this.#child.stdin.write(`${input}\n`)
  }

  /** What Ctrl-C at a terminal does. */
  interrupt(): void {
    this.#child.kill('SIGINT')
  }

  /** Ends its input. @returns what it wrote as errors, one SQLSTATE a line. */
  async end(): Promise<string> {
    const closed = this.#child.exitCode === null ? once(this.#child, 'close') : undefined
    this.#child.stdin.end()
    await closed
    return this.#errors
  }
}
