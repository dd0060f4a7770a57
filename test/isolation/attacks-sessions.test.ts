import t from 'tap'
import { SESSIONS, SHARED_ROLES } from './attacks/sessions.ts'
import { withstand } from './attacks/withstand.ts'

t.setTimeout(300_000)

withstand(t, [...SESSIONS, ...SHARED_ROLES])
