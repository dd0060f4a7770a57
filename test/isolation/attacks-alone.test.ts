import t from 'tap'
import { HIDDEN_SETTINGS } from './attacks/hidden.ts'
import { OPEN_CATALOGS, READING_NAMES, READING_ROWS, WIRE_TRICKS } from './attacks/names.ts'
import { TAKING_ROLES } from './attacks/resets.ts'
import { SET_CONFIGS } from './attacks/set-config.ts'
import { withstandAlone } from './attacks/withstand.ts'

t.setTimeout(300_000)

/** Postgres knows no spellings, and what is left behind is left to nobody there. */
withstandAlone(t, [
  ...SET_CONFIGS,
  ...HIDDEN_SETTINGS,
  ...TAKING_ROLES,
  ...READING_NAMES,
  ...OPEN_CATALOGS,
  ...READING_ROWS,
  ...WIRE_TRICKS,
])
