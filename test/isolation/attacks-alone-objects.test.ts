import t from 'tap'
import { CHANGED, PLANTS } from './attacks/objects.ts'
import { SESSIONS } from './attacks/sessions.ts'
import { withstandAlone } from './attacks/withstand.ts'

t.setTimeout(300_000)

withstandAlone(t, [...CHANGED, ...PLANTS, ...SESSIONS])
