import { parseTenantName } from '../../tenancy/tenant-name.ts'
import type { CatalogChange } from '../change.ts'

const ALL = /^all (\d{1,16})$/
const TENANT = /^tenant (\S+)(?: (\d{1,16}))?$/
/** A user may hold spaces and digits: the version is the last word. */
const LOGIN = /^login (.+) (\d{1,16})$/s

/** Reads what a notification says. Of one that makes no sense: anything may have changed. */
export function parseChange(payload: string): CatalogChange {
  const [, version] = ALL.exec(payload) ?? []
  if (version !== undefined) return { kind: 'all', version: numberOf(version) }
  const [, tenant = '', tenantVersion] = TENANT.exec(payload) ?? []
  if (parseTenantName(tenant) !== undefined) {
    return named('tenant', tenant, tenantVersion)
  }
  const [, user, loginVersion] = LOGIN.exec(payload) ?? []
  if (user !== undefined) return named('login', user, loginVersion)
  return { kind: 'all', version: undefined }
}

function named(kind: 'tenant' | 'login', name: string, version: string | undefined): CatalogChange {
  return { kind: 'name', name: { kind, name }, version: numberOf(version) }
}

function numberOf(version: string | undefined): number | undefined {
  const number = Number(version)
  return Number.isSafeInteger(number) ? number : undefined
}
