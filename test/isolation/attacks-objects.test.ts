import t from 'tap'
import { CHANGED } from './attacks/objects.ts'
import { withstand } from './attacks/withstand.ts'

t.setTimeout(300_000)

withstand(t, CHANGED)
