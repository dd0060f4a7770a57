import t from 'tap'
import { OPEN_CATALOGS, READING_NAMES, READING_ROWS, WIRE_TRICKS } from './attacks/names.ts'
import { withstand } from './attacks/withstand.ts'

t.setTimeout(300_000)

withstand(t, [...READING_NAMES, ...OPEN_CATALOGS, ...READING_ROWS, ...WIRE_TRICKS])
