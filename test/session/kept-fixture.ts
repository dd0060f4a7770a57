import type { TurnEffects } from '../../src/relay/turn-effects.ts'
import { TurnEffectsGatherer } from '../../src/relay/turn-effects.ts'
import type { AskableKind, FactsWanted, SessionFacts } from '../../src/server/session-facts.ts'
import type { KeepPolicy, KeptState } from '../../src/session/kept-state.ts'
import { scanStatements } from '../../src/sql/scan/statement-scan.ts'
import { linkOf } from '../pool/pool-fixture.ts'

const DIALECT = { backslashEscapes: false, hasUnsafeBytes: false }

/** Nothing changed that the server reports. */
export const UNCHANGED: ReadonlyMap<string, string> = new Map()

/** A tenant with a schema: `timezone` is reported, `work_mem` and `app.user` are on the list. */
export function policyOf(more: Partial<KeepPolicy> = {}): KeepPolicy {
  return {
    link: linkOf('acme'),
    carried: new Set(['timezone', 'work_mem', 'app.user']),
    reported: new Set(['timezone']),
    place: new Set(['search_path', 'app.tenant_id', 'role', 'session_authorization']),
    maxCarriedBytes: 1_000,
    parameters: new Map([
      ['TimeZone', 'UTC'],
      ['session_authorization', 'pool'],
    ]),
    settings: new Map(),
    ...more,
  }
}

/** What these texts do, as the relay gathers it. */
export function effectsOf(...texts: readonly string[]): TurnEffects | undefined {
  const gatherer = new TurnEffectsGatherer()
  for (const text of texts) {
    const bytes = Buffer.from(text)
    const effects = scanStatements({ bytes, start: 0, end: bytes.length }, DIALECT)
    if (effects !== undefined) gatherer.add(effects)
  }
  return gatherer.take()
}

export function unscanned(): TurnEffects | undefined {
  const gatherer = new TurnEffectsGatherer()
  gatherer.addUnscanned()
  return gatherer.take()
}

export function factsOf(
  kinds: readonly AskableKind[] = [],
  settings: Readonly<Record<string, string>> = {},
): SessionFacts {
  // The server always knows that one.
  const all = { session_authorization: 'pool', ...settings }
  return { kinds: new Set(kinds), settings: new Map(Object.entries(all)), refutation: undefined }
}

/** What is asked, in an order of its own. */
export function spelled(wanted: FactsWanted | undefined): unknown {
  if (wanted === undefined) return undefined
  const { kinds, settings, customSettings } = wanted
  return {
    kinds: [...kinds].sort(),
    settings: settings === 'all' ? settings : [...settings].sort(),
    customSettings: [...customSettings].sort(),
  }
}

/** A turn whose questions are answered. Returns the new reasons to be pinned. */
export function turn(
  kept: KeptState,
  effects: TurnEffects | undefined,
  facts?: SessionFacts,
): readonly string[] {
  const wanted = kept.afterTurn(effects, UNCHANGED)
  if (wanted !== undefined) kept.told(wanted, facts)
  return kept.takeNewPins()
}

/** What the client's next connection is linked with beyond the tenant's own. */
export function carriedBy(kept: KeptState): unknown {
  return Object.fromEntries(kept.link.clientSettings.map(({ name, value }) => [name, value]))
}
