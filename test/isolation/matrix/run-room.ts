import type { MatrixCase } from './cases.ts'
import type { Sight } from './look.ts'
import { has } from './pair.ts'
import { Room, type RoomPlan } from './room.ts'
import { Stage } from './stage.ts'
import type { Impatience, Town } from './town.ts'

/** A case that failed. */
export interface Failure {
  readonly name: string
  readonly problems: readonly string[]
}

/** What came out of the cases of a room. */
export interface RoomReport {
  readonly cases: number
  /** Cases in which the second tenant had the very server connection of the first. */
  readonly reused: number
  /** Cases in which nothing speaks against that. */
  readonly keepable: number
  /** As many of these as it had the connection. */
  readonly kept: number
  /** Names of states that showed the first tenant rows of the second. */
  readonly reached: readonly string[]
  readonly failures: readonly Failure[]
}

/** More than any case takes: whoever needs so long waits for what won't come. */
const CASE_MS = 20_000

const REFUSED = '42501'

/** Runs cases of a room, one after the other. */
export async function runRoom(
  town: Town,
  plan: RoomPlan,
  cases: readonly MatrixCase[],
): Promise<RoomReport> {
  const runner = await RoomRunner.open(town, plan)
  try {
    for (const one of cases) await runner.run(one)
    const { reused, keepable, kept, reached, failures } = runner
    return { cases: runner.cases, reused, keepable, kept, reached, failures }
  } finally {
    await runner.close()
  }
}

class RoomRunner {
  cases = 0
  reused = 0
  keepable = 0
  kept = 0
  readonly reached: string[] = []
  readonly failures: Failure[] = []
  readonly #town: Town
  readonly #plan: RoomPlan
  readonly #expected: readonly string[]
  #room: Room

  private constructor(town: Town, room: Room, baseline: Sight) {
    this.#town = town
    this.#room = room
    this.#plan = room.plan
    // Whatever it saw then: it has to be itself.
    const others = baseline.lines.filter((line) => !/^(?:tenant|errors)\|/.test(line))
    this.#expected = [`tenant|${room.pair.second.tenant}`, ...others]
  }

  static async open(town: Town, plan: RoomPlan): Promise<RoomRunner> {
    const room = await Room.open(town, plan)
    return new RoomRunner(town, room, await room.baseline())
  }

  async run(one: MatrixCase): Promise<void> {
    this.cases += 1
    if (one.way.impatience !== this.#room.impatience) await this.#renew(one.way.impatience)
    const problems = await withinTime(() => this.#problemsOf(one))
    if (problems.length > 0) this.failures.push({ name: this.#nameOf(one), problems })
    const { undo } = one.state
    if (undo !== undefined) await this.#town.asSuperuser(undo(this.#plan.pair))
    // What went wrong must not go on in the next case.
    if (problems.length > 0 || one.way.endsProxy) await this.#renew(one.way.impatience)
    else await this.#room.vacate()
  }

  async close(): Promise<void> {
    await this.#room.close()
  }

  #nameOf({ name }: MatrixCase): string {
    const { pair, mode, level } = this.#plan
    return `${pair.strategy}, ${level}, ${mode} mode: ${name}`
  }

  async #renew(impatience: Impatience | undefined): Promise<void> {
    await this.#room.close()
    this.#room = await Room.open(this.#town, this.#plan, impatience)
  }

  async #problemsOf(one: MatrixCase): Promise<readonly string[]> {
    const { state, way } = one
    const first = await this.#room.first(state.startup?.(this.#plan.pair) ?? {})
    if (typeof first === 'string') {
      return state.isLoginRefused && first === REFUSED ? [] : [`login: ${first}`]
    }
    if (state.isLoginRefused) return ['was let in']
    const stage = new Stage(this.#room, first, one)
    const pid = await stage.whereFirstIs()
    await way.leave(stage)
    if (stage.hasReached && !this.reached.includes(state.name)) this.reached.push(state.name)
    const sight = await stage.look()
    return [
      ...stage.problems,
      ...this.#badMaking(one, stage),
      ...differences(this.#expected, sight),
      ...this.#badPlace(one, stage, pid === sight.pid),
      ...(await this.#badLaterPlace(one, stage, pid)),
    ]
  }

  /** What was said of the statements that made the state, and should not have been. */
  #badMaking({ state, way }: MatrixCase, { said, hasReached }: Stage): readonly string[] {
    const { level, pair } = this.#plan
    const others = said.filter((code) => !way.brings?.includes(code ?? ''))
    const isRefused = others[0] === REFUSED
    // Nobody reads the texts of a tenant that shares nothing.
    const mustBeRefused = pair.strategy !== 'database' && has(level, state.refusedFrom)
    // What follows a refusal is its consequence.
    const rest = isRefused && mustBeRefused ? [] : others
    return [
      ...rest.map((code) => `making it: ${code}`),
      ...(mustBeRefused && !isRefused ? ['was not refused'] : []),
      ...(has(level, state.reachesUntil) && hasReached ? ['reached the other tenant'] : []),
    ]
  }

  /** On which server connection the second tenant should have been, and was not. */
  #badPlace({ state, way }: MatrixCase, stage: Stage, isSame: boolean): readonly string[] {
    if (isSame) this.reused += 1
    const isRefused = stage.said.includes(REFUSED)
    if (!this.#room.isShared || stage.mustReplace || (state.isIndelible && !isRefused)) {
      return isSame ? ['the server connection was used again'] : []
    }
    if (has(this.#plan.level, state.destroyedFrom)) return []
    if (way.keeps) this.keepable += 1
    if (way.keeps && isSame) this.kept += 1
    return []
  }

  /**
   * What led away comes to light with the request that takes it back: that one is still answered
   * on the server connection, and no other.
   */
  async #badLaterPlace(
    { state, way }: MatrixCase,
    stage: Stage,
    pid: string,
  ): Promise<readonly string[]> {
    const isFound = has(this.#plan.level, state.destroyedFrom) && way.commits && !way.endsProxy
    if (!isFound || stage.said.includes(REFUSED)) return []
    return (await stage.whereSecondIs()) === pid ? ['nobody saw that it had left its place'] : []
  }
}

function differences(expected: readonly string[], found: Sight): readonly string[] {
  const isNew = (line: string) => !expected.includes(line)
  const isGone = (line: string) => !found.lines.includes(line)
  return [
    ...found.lines.filter(isNew).map((line) => `found ${line}`),
    ...expected.filter(isGone).map((line) => `missed ${line}`),
  ]
}

/** What went wrong, in place of a wait without end or an exception. */
async function withinTime(work: () => Promise<readonly string[]>): Promise<readonly string[]> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<readonly string[]>((resolve) => {
    timer = setTimeout(() => resolve([`not over within ${CASE_MS} ms`]), CASE_MS)
  })
  try {
    return await Promise.race([work(), late])
  } catch (error) {
    return [String(error)]
  } finally {
    clearTimeout(timer)
  }
}
