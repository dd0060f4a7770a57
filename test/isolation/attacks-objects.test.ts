import t from 'tap'
import { OBJECTS } from './attacks/objects.ts'
import { withstand } from './attacks/withstand.ts'

t.setTimeout(200_000)

withstand(t, OBJECTS)
