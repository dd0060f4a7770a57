import type { AssignedValue, StatementEffects } from '../sql/scan/statement-effects.ts'
import { parseSearchPath } from '../sql/search-path.ts'
import { type GuardedPlace, isInside } from './guarded-place.ts'

/** What of a text would lead its tenant out of its place; a metric label. */
export type GuardReason =
  | 'search_path'
  | 'tenant_setting'
  | 'role'
  | 'session_authorization'
  /** It sets something whose name does not stand in the text. */
  | 'unknown_setting'
  /** It changes what tenants share: ALTER ROLE, DATABASE, SYSTEM. */
  | 'alter_role'
  /** It may call anything, by a name that can't be read. */
  | 'hidden_name'

/** Why a text is refused. */
export interface GuardRefusal {
  readonly reason: GuardReason
  /** What it would set, where that is known. */
  readonly setting: string | undefined
}

/** What `role` is without a SET ROLE. */
const NO_ROLE = 'none'

/**
 * Whether a text must not run for a tenant that is kept in `place`, judged by what stands in the
 * text: what code in the database does when the text calls it is out of sight.
 *
 * @returns `undefined` when it may.
 */
export function guardRefusal(
  effects: StatementEffects,
  place: GuardedPlace,
): GuardRefusal | undefined {
  if (effects.hidesNames) return { reason: 'hidden_name', setting: undefined }
  if (effects.altersShared) return { reason: 'alter_role', setting: undefined }
  for (const { name, value } of effects.assignments) {
    const reason = refusedFor(name, value, place)
    if (reason !== undefined) return { reason, setting: name }
  }
  return undefined
}

function refusedFor(
  name: string | undefined,
  value: AssignedValue,
  place: GuardedPlace,
): GuardReason | undefined {
  if (name === undefined) return 'unknown_setting'
  const rule = name === place.setting ? TENANT_SETTING : RULES.get(name)
  if (rule === undefined || value.kind === 'current') return undefined
  return rule.allows(value, place) ? undefined : rule.reason
}

/** What a setting of the place may be set to; to what it is, in any case. */
interface Rule {
  readonly reason: GuardReason
  allows(value: AssignedValue, place: GuardedPlace): boolean
}

const TENANT_SETTING: Rule = {
  reason: 'tenant_setting',
  allows: (value, place) => {
    if (value.kind === 'default') return true
    const text = soleText(value)
    return text !== undefined && text === place.value
  },
}

const RULES: ReadonlyMap<string, Rule> = new Map([
  [
    'search_path',
    {
      reason: 'search_path',
      allows: (value, place) => {
        if (value.kind === 'default') return true
        const path = pathOf(value)
        return path !== undefined && isInside(place, path)
      },
    },
  ],
  [
    'role',
    {
      reason: 'role',
      allows: (value, { role }) => {
        const text = value.kind === 'default' ? NO_ROLE : soleText(value)
        return text !== undefined && text === (role ?? NO_ROLE)
      },
    },
  ],
  [
    'session_authorization',
    {
      reason: 'session_authorization',
      // It takes the role back, too.
      allows: (value, { role }) => value.kind === 'default' && role === undefined,
    },
  ],
])

function soleText(value: AssignedValue): string | undefined {
  if (value.kind === 'text') return value.text
  return value.kind === 'names' && value.names.length === 1 ? value.names[0] : undefined
}

/** SET takes each entry for a name; set_config takes its argument for a list of them. */
function pathOf(value: AssignedValue): readonly string[] | undefined {
  if (value.kind === 'text') return parseSearchPath(value.text)
  return value.kind === 'names' ? value.names : undefined
}
