import { z } from 'zod'
import { fields } from '../catalog/documents/fields.ts'
import { keyList } from './key-schema.ts'

const { isolationLevel, ms } = fields

/** What the isolation of tenants holds against. */
export const isolation = z.strictObject({
  level: isolationLevel
    .default('guarded')
    .describe(
      'What the isolation of tenants that share a database holds against: `convenience`, mistakes; `guarded`, also statements that would leave the tenant; `sealed`, hostile SQL.',
    ),
  keys: keyList('Name of the key; it stands in every token that the key signs.').describe(
    'Keys of the tokens by which sealed `row` tenants are told; the first one signs.',
  ),
  tokenLifetimeMs: ms
    .min(10_000)
    .default(600_000)
    .describe(
      'How long a token is valid, in ms; a connection gets a new one after half of it. The clocks of proxy and server must agree to well within it.',
    ),
})
