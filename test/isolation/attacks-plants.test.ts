import t from 'tap'
import { PLANTS } from './attacks/objects.ts'
import { withstand } from './attacks/withstand.ts'

t.setTimeout(300_000)

withstand(t, PLANTS)
