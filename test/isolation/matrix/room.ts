import type { IsolationLevel } from '../../../src/tenancy/isolation.ts'
import type { PostgresMajor } from '../../support/postgres-binaries.ts'
import type { TestProxy } from '../../support/proxy.ts'
import { Guest } from './guest.ts'
import { look, type Sight } from './look.ts'
import type { Pair, PoolMode } from './pair.ts'
import { type Impatience, openProxy, type ProxyPlan, type Town } from './town.ts'

/** Where cases take place that share a proxy. */
export interface RoomPlan {
  readonly major: PostgresMajor
  readonly pair: Pair
  readonly mode: PoolMode
  readonly level: IsolationLevel
}

/** Tenants of one server share its connection, as far as a session lets go of it. */
export function isShared({ mode, level, pair }: RoomPlan): boolean {
  if (mode === 'session' || pair.strategy === 'database') return false
  return pair.strategy === 'row' || level !== 'sealed'
}

/** A proxy with one server connection, and the second tenant. */
export class Room {
  readonly town: Town
  readonly proxy: TestProxy
  readonly plan: RoomPlan
  readonly impatience: Impatience | undefined
  #second: Guest | undefined
  #drained: Promise<unknown> | undefined

  private constructor(
    town: Town,
    proxy: TestProxy,
    plan: RoomPlan & Pick<ProxyPlan, 'impatience'>,
  ) {
    this.town = town
    this.proxy = proxy
    this.plan = plan
    this.impatience = plan.impatience
  }

  /** @param impatience - Of the first tenant. */
  static async open(town: Town, plan: RoomPlan, impatience?: Impatience): Promise<Room> {
    const whole = { ...plan, impatience }
    const room = new Room(town, await openProxy(town, whole), whole)
    // Before the first tenant takes the only server connection.
    if (plan.mode === 'transaction') await room.second()
    return room
  }

  get pair(): Pair {
    return this.plan.pair
  }

  get isShared(): boolean {
    return isShared(this.plan)
  }

  /** A session of the first tenant, or why there is none. */
  first(parameters: Readonly<Record<string, string>>): Promise<Guest | string> {
    return Guest.enter(this.proxy.port, `app.${this.pair.first.tenant}`, parameters)
  }

  /** The session of the second tenant. */
  async second(): Promise<Guest> {
    if (this.#second !== undefined) return this.#second
    const entered = await Guest.enter(this.proxy.port, `app.${this.pair.second.tenant}`, {})
    if (typeof entered === 'string') throw new Error(`the second tenant was refused: ${entered}`)
    this.#second = entered
    return entered
  }

  /** What the second tenant sees where nobody was before. */
  async baseline(): Promise<Sight> {
    const sight = await look(await this.second())
    await this.vacate()
    return sight
  }

  /** In session mode the second tenant would keep the only server connection. */
  async vacate(): Promise<void> {
    if (this.plan.mode === 'session') await this.leave()
  }

  async leave(): Promise<void> {
    const second = this.#second
    this.#second = undefined
    await second?.end()
  }

  drain(): void {
    this.#drained = this.proxy.drain()
  }

  async close(): Promise<void> {
    await this.#drained
    this.#second?.client.socket.destroy()
    await this.proxy.stop()
  }
}
