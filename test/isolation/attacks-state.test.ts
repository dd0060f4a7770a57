import t from 'tap'
import { HIDDEN_SETTINGS, LEFT_BEHIND } from './attacks/hidden.ts'
import { RESETTING, SWITCHING, TAKING_ROLES } from './attacks/resets.ts'
import { withstand } from './attacks/withstand.ts'

t.setTimeout(300_000)

withstand(t, [...HIDDEN_SETTINGS, ...LEFT_BEHIND, ...RESETTING, ...SWITCHING, ...TAKING_ROLES])
