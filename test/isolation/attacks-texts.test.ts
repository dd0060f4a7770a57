import t from 'tap'
import { SET_CONFIGS } from './attacks/set-config.ts'
import { SPELLINGS } from './attacks/spellings.ts'
import { withstand } from './attacks/withstand.ts'

t.setTimeout(300_000)

withstand(t, [...SPELLINGS, ...SET_CONFIGS])
