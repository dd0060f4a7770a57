import type { Test } from 'tap'
import type { IsolationLevel } from '../../../src/tenancy/isolation.ts'
import { type Attack, type Case, casesOf } from './attack.ts'
import { besiege, type Outcome } from './siege.ts'
import { type Sight, Town } from './town.ts'
import { atPostgres, atProxy, type Venue } from './venue.ts'

const LEVELS: readonly IsolationLevel[] = ['convenience', 'guarded', 'sealed']

/**
 * Runs the attacks at each level, on both Postgres versions: at the level that has to stop an
 * attack, and above, the attacker gets nothing and the victim has its own; below, it works.
 */
export function withstand(t: Test, attacks: readonly Attack[]): void {
  atLevels(t, attacks, { levels: LEVELS, enter: atProxy })
}

/** Runs them against Postgres itself, set up as level `sealed` wants it. */
export function withstandAlone(t: Test, attacks: readonly Attack[]): void {
  atLevels(t, attacks, { levels: ['sealed'], enter: atPostgres })
}

interface Stage {
  readonly levels: readonly IsolationLevel[]
  readonly enter: Enter
}

type Enter = (town: Town, sight: Sight) => Venue | Promise<Venue>

function atLevels(t: Test, attacks: readonly Attack[], { levels, enter }: Stage): void {
  for (const major of [15, 18] as const) {
    t.test(`on Postgres ${major}`, async (t) => {
      const town = await Town.start(t, major)
      for (const level of levels) {
        const sieges = new Sieges(town, enter)
        for (const one of casesOf(attacks)) {
          const sight = sightOf(one, level)
          judge(t, sight, { ...one, outcome: await sieges.run(sight, one) })
        }
        await sieges.close()
      }
    })
  }
}

function sightOf({ attack, strategy }: Case, level: IsolationLevel): Sight {
  const { poolSize = 1, withRole = false } = attack
  return { strategy, level, poolSize, withRole }
}

function judge(
  t: Test,
  { level, strategy }: Sight,
  { attack, outcome }: Case & { readonly outcome: Outcome },
): void {
  const name = `${level}, ${strategy}: ${attack.name}`
  if (isStopped(attack, level)) {
    t.strictSame(outcome, { loot: [], harm: [] }, `${name} is stopped`)
  } else {
    t.ok(isSuccess(attack, outcome), `${name} works`)
  }
}

/** One proxy for all attacks of a kind, until one of them leaves something behind. */
class Sieges {
  readonly #town: Town
  readonly #enter: Enter
  readonly #venues = new Map<string, Venue>()

  constructor(town: Town, enter: Enter) {
    this.#town = town
    this.#enter = enter
  }

  async run(sight: Sight, one: Case): Promise<Outcome> {
    const venue = await this.#venue(sight)
    const outcome = await besiege(venue, this.#town.ground(sight), one)
    if (one.attack.scars === true || outcome.harm.length > 0) await this.close()
    return outcome
  }

  async close(): Promise<void> {
    for (const venue of this.#venues.values()) await venue.close()
    this.#venues.clear()
  }

  async #venue(sight: Sight): Promise<Venue> {
    const key = JSON.stringify(sight)
    if (this.#venues.size === 0) await this.#town.heal(sight.level)
    const venue = this.#venues.get(key) ?? (await this.#enter(this.#town, sight))
    this.#venues.set(key, venue)
    return venue
  }
}

function isStopped({ stoppedBy }: Attack, level: IsolationLevel): boolean {
  return stoppedBy !== 'nobody' && LEVELS.indexOf(level) >= LEVELS.indexOf(stoppedBy)
}

function isSuccess({ aim }: Attack, { loot, harm }: Outcome): boolean {
  return aim === 'read' ? loot.length > 0 : harm.length > 0
}
