import t from 'tap'
import { CHANGED } from './attacks/objects.ts'
import { withstand } from './attacks/withstand.ts'

t.setTimeout(200_000)

withstand(t, CHANGED)
