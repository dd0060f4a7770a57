import { nearestName } from '../../../base/nearest-name.ts'
import { CatalogUnavailableError } from '../../../catalog/catalog-errors.ts'
import { parseTenantName, type TenantName } from '../../../tenancy/tenant-name.ts'
import { ConsoleSyntaxError, ConsoleUnknownObjectError } from '../console-errors.ts'
import type { Token } from '../language/statements.ts'
import type { CommandContext } from './command.ts'

/** Names that a mistyped one is compared with; more would hold up everybody. */
const MAX_COMPARED = 1000

/** @throws ConsoleSyntaxError - when something follows the command. */
export function expectEnd(rest: readonly Token[]): void {
  if (rest.length > 0) throw new ConsoleSyntaxError('something follows a command that is complete')
}

/** Whether the next token is that word, in whatever case. */
export function isWord(token: Token | undefined, word: string): boolean {
  return token?.kind === 'word' && token.text.toUpperCase() === word
}

/**
 * Reads the name of one tenant, with or without TENANT before it; `undefined` where there is none.
 *
 * @throws ConsoleSyntaxError - something else follows.
 */
export function readScope(rest: readonly Token[]): TenantName | undefined {
  const [first, ...others] = rest
  if (first === undefined) return undefined
  return readTenant(isWord(first, 'TENANT') ? others : rest)
}

/** @throws ConsoleSyntaxError - what follows is not the name of one tenant. */
export function readTenant(rest: readonly Token[]): TenantName {
  const [token, ...others] = rest
  const name = token === undefined ? undefined : parseTenantName(token.text)
  if (token === undefined || token.kind === 'sign' || name === undefined) {
    throw new ConsoleSyntaxError('the name of a tenant is expected', "Write it as in 'acme'.")
  }
  expectEnd(others)
  return name
}

/**
 * Makes sure that a name was not mistyped.
 *
 * @throws ConsoleUnknownObjectError - nobody knows the tenant.
 */
export async function requireTenant(
  name: TenantName | undefined,
  { sources }: CommandContext,
): Promise<void> {
  if (name === undefined || sources.sessions().some(({ tenant }) => tenant === name)) return
  if (await isKnown(name, sources.catalog)) return
  const listed = sources.catalog.fileTenants().map((record) => record.name)
  const nearest = listed.length > MAX_COMPARED ? undefined : nearestName(name, listed)
  const hint = nearest === undefined ? 'SHOW TENANTS lists them.' : `Did you mean ${nearest}?`
  throw new ConsoleUnknownObjectError(`tenant "${name}"`, hint)
}

/** An operator must be able to act while the catalog is down. */
async function isKnown(
  name: TenantName,
  catalog: CommandContext['sources']['catalog'],
): Promise<boolean> {
  try {
    return (await catalog.tenant(name)) !== undefined
  } catch (error) {
    if (error instanceof CatalogUnavailableError) return true
    throw error
  }
}
