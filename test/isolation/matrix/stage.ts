import {
  bind,
  execute,
  query,
  rows,
  sendCancel,
  sqlStates,
  sync,
} from '../../support/raw-client.ts'
import { until } from '../../support/until.ts'
import type { MatrixCase } from './cases.ts'
import type { Guest } from './guest.ts'
import { glance, look, type Sight } from './look.ts'
import { asOneRequest, requestsOf } from './protocols.ts'
import type { Room } from './room.ts'
import type { Statement } from './state-kind.ts'

/** What stands around the statements that make a state. */
interface Frame {
  readonly before?: readonly string[]
  readonly behind?: readonly string[]
  /** In as few requests as the protocol allows, so that no time passes in between. */
  readonly asOne?: true
  /** The goodbye is in the same write, and the session is over behind it. */
  readonly goes?: true
}

const NO_SUCH_STATEMENT = '26000'
const PEEK = 'SELECT shared.peek()'

/** One case: the first tenant makes a state and goes, then the second one looks. */
export class Stage {
  readonly first: Guest
  /** SQLSTATEs of the making. */
  readonly said: (string | undefined)[] = []
  /** The first tenant has seen rows of the second. */
  hasReached = false
  /** What went wrong on the way. */
  readonly problems: string[] = []
  mustReplace = false
  readonly #room: Room
  readonly #matrixCase: MatrixCase
  #glance: Promise<Sight> | undefined

  constructor(room: Room, first: Guest, matrixCase: MatrixCase) {
    this.#room = room
    this.first = first
    this.#matrixCase = matrixCase
  }

  get port(): number {
    return this.#room.proxy.port
  }

  /** The process of the server connection on which the first tenant begins, as itself. */
  async whereFirstIs(): Promise<string> {
    // What no text showed stays with the tenant where its connections never pass to another one.
    if (!this.#room.isShared) await this.first.ask(query('DISCARD ALL'))
    const text = `SELECT pg_backend_pid(), (SELECT string_agg(owner, ',') FROM items)`
    const [pid = '', owners = ''] = rows(await this.first.ask(query(text)))
      .join()
      .split('|')
    if (owners !== this.#room.pair.first.tenant) this.problems.push(`the first sees ${owners}`)
    return pid
  }

  async whereSecondIs(): Promise<string> {
    const second = await this.#room.second()
    return rows(await second.ask(query('SELECT pg_backend_pid()'))).join()
  }

  /** Something that the first tenant can run, and that does not end by itself. */
  get endless(): string {
    return this.#room.town.gate(this.#room.pair.first.database).wait
  }

  /** Makes the state, and looks how far it leads. */
  async make({ before = [], behind = [], asOne, goes }: Frame = {}): Promise<void> {
    const { state, protocol } = this.#matrixCase
    const { pair } = this.#room
    const peek = state.reachesUntil === undefined ? [] : [PEEK]
    const statements: (string | Statement)[] = [...before, ...state.make(pair), ...peek, ...behind]
    const requests = asOne ? asOneRequest(protocol, statements) : requestsOf(protocol, statements)
    const frames = goes ? await this.first.runAndEnd(requests) : await this.first.run(requests)
    this.said.push(...sqlStates(frames))
    this.hasReached ||= rows(frames).some((row) => row.split(',').includes(pair.second.tenant))
  }

  mustReplaceIf(isSo: boolean): void {
    this.mustReplace = isSo
  }

  /** Ends what is open, and says goodbye. */
  async leavePolitely(): Promise<void> {
    if (this.first.transactionStatus !== 'I') await this.first.ask(query('ROLLBACK'))
    await this.first.end()
  }

  /** What the second tenant sees. */
  async look(): Promise<Sight> {
    if (this.#glance !== undefined) return this.#glance
    const second = await this.#room.second()
    if (this.#matrixCase.state.isUnnamed) await this.#useUnnamed(second)
    return look(second)
  }

  /** Has the second tenant ask now, so that it waits for the server connection. */
  async queueSecond(): Promise<void> {
    this.#glance = glance(await this.#room.second())
    // Whoever began it may not come to wait for it.
    this.#glance.catch(() => {})
    await until(async () => (await this.#room.proxy.metric('pgusher_pool_clients_waiting')) === 1)
  }

  /** Lets the proxy come to its end. */
  drain(): void {
    this.#room.drain()
  }

  /** The first tenant cancels with its key what the second one does. */
  async cancelWhileTheOtherRuns(): Promise<void> {
    const gate = this.#room.town.gate(this.#room.pair.second.database)
    const second = await this.#room.second()
    const answer = second.ask(query(gate.wait))
    await gate.untilBesieged()
    await sendCancel(this.port, this.first.key)
    const states = sqlStates(await gate.letThrough(answer))
    if (states.length > 0) this.problems.push(`the second was canceled: ${states.join()}`)
  }

  /** Has the second tenant use a statement that it has not parsed. */
  async #useUnnamed(second: Guest): Promise<void> {
    const frames = await second.ask(Buffer.concat([bind('', '', ['x']), execute(), sync]))
    const states = sqlStates(frames).join()
    if (states !== NO_SUCH_STATEMENT) this.problems.push(`a statement of the first: ${states}`)
  }
}
