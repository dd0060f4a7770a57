import { z } from 'zod'
import { loginSchema, serverSchema, tenantSchema } from '../catalog/documents/record-schema.ts'
import { settingGroups } from './settings-schema.ts'

/** The whole configuration, as people write it. */
export const configSchema = z.strictObject({
  ...settingGroups,
  logins: z.array(loginSchema).default([]).describe('Who may come in.'),
  servers: z
    .record(z.string(), serverSchema)
    .default({})
    .describe('Databases that `schema` and `row` tenants share, by name.'),
  tenants: z.array(tenantSchema).default([]).describe('The tenants.'),
})
