import { type DeadlineOptions, reasonOf, withDeadline } from '../../base/deadline.ts'
import type { ServerTarget } from '../../catalog/route.ts'
import type { Tenancy } from '../../tenancy/tenancy.ts'
import { ServerUnreachableError } from '../server-errors.ts'
import { type Presence, probeTenant } from './probe-tenant.ts'

/** Bounds of all probes together. */
export interface ProbeQueueOptions {
  /** Most probes that ask at a time, each over a connection of its own. */
  readonly maxProbes: number
  /** Most that wait for their turn; more are refused at once. */
  readonly maxWaiting: number
}

/** Lets a few probes ask at a time: anybody can name tenants, and each name is a login somewhere. */
export class ProbeQueue {
  readonly #options: ProbeQueueOptions
  readonly #waiting = new Set<() => void>()
  #asking = 0

  constructor(options: ProbeQueueOptions) {
    this.#options = options
  }

  /**
   * Does `probeTenant` in turn. The time limit covers the wait as well.
   *
   * @throws ServerUnreachableError - also when too many wait, and when the turn comes too late.
   * @throws ServerLoginError - as from `probeTenant`.
   */
  async probe(target: ServerTarget, tenancy: Tenancy, options: DeadlineOptions): Promise<Presence> {
    if (tenancy.strategy === 'row') return 'present'
    return withDeadline(options, async (signal) => {
      await this.#enter(target, signal)
      try {
        return await probeTenant(target, tenancy, { timeoutMs: 0, signal })
      } finally {
        this.#leave()
      }
    })
  }

  async #enter(target: ServerTarget, signal: AbortSignal): Promise<void> {
    if (signal.aborted) throw givenUp(target, signal)
    if (this.#asking < this.#options.maxProbes) {
      this.#asking += 1
      return
    }
    if (this.#waiting.size >= this.#options.maxWaiting) {
      throw new ServerUnreachableError(target, { reason: 'too many probes wait already' })
    }
    await this.#turn(target, signal)
  }

  /** The turn is handed over by the one who leaves: `#asking` stays as it is. */
  #turn(target: ServerTarget, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const turn = () => {
        signal.removeEventListener('abort', giveUp)
        resolve()
      }
      const giveUp = () => {
        this.#waiting.delete(turn)
        reject(givenUp(target, signal))
      }
      this.#waiting.add(turn)
      signal.addEventListener('abort', giveUp, { once: true })
    })
  }

  #leave(): void {
    const [next] = this.#waiting
    if (next === undefined) {
      this.#asking -= 1
      return
    }
    this.#waiting.delete(next)
    next()
  }
}

function givenUp(target: ServerTarget, signal: AbortSignal): ServerUnreachableError {
  const reason = `no turn to ask it: ${reasonOf(signal.reason)}`
  return new ServerUnreachableError(target, { reason, cause: signal.reason })
}
