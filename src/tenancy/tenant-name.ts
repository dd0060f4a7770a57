declare const brand: unique symbol

/** A tenant's tag, already checked: `[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?`. */
export type TenantName = string & { readonly [brand]: 'TenantName' }

const TENANT_NAME = /^[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?$/

/** The one door by which text becomes a tenant name; `undefined` when it is malformed. */
export function parseTenantName(text: string): TenantName | undefined {
  return TENANT_NAME.test(text) ? (text as TenantName) : undefined
}
