import t from 'tap'
import { SESSIONS } from './attacks/sessions.ts'
import { withstand } from './attacks/withstand.ts'

t.setTimeout(200_000)

withstand(t, SESSIONS)
