import { ProxyError } from '../base/proxy-error.ts'
import { SqlState } from '../base/sql-state.ts'

/** A tenant's name as the client gave it, unchecked, and where. */
export interface Tag {
  /** For messages, such as `user` or `startup parameter tenant`. */
  readonly source: string
  readonly text: string
}

/** Longest piece of a client's own words that a message repeats, in characters. */
const SHOWN_CHARACTERS = 80

/** The startup packet names no user. */
export class NoUserError extends ProxyError {
  override readonly code = 'NO_USER'
  override readonly sqlState = SqlState.invalidAuthorizationSpecification
  override readonly origin = 'client'
  override readonly clientMessage = 'no PostgreSQL user name specified in startup packet'

  constructor(options?: ErrorOptions) {
    super('startup packet without a user', options)
  }
}

/** What was refused, and the remedy. */
interface ReplicationRefusal {
  readonly text: string
  readonly hint: string
}

/** The client wants to replicate more than its tenant may. Told only to those who logged in. */
export class ReplicationRefusedError extends ProxyError {
  override readonly code = 'REPLICATION_REFUSED'
  override readonly sqlState = SqlState.insufficientPrivilege
  override readonly origin = 'client'
  override readonly clientMessage: string
  override readonly hint: string

  constructor(refusal: ReplicationRefusal, options?: ErrorOptions) {
    super(refusal.text, options)
    this.clientMessage = refusal.text
    this.hint = refusal.hint
  }
}

/** Nothing in the startup packet names a tenant, and there is no default one. */
export class NoTagError extends ProxyError {
  override readonly code = 'NO_TAG'
  override readonly sqlState = SqlState.invalidAuthorizationSpecification
  override readonly origin = 'client'
  override readonly clientMessage = 'the connection names no tenant'
  override readonly hint: string | undefined

  /** @param ways - What a client can write, ready to copy; only ways that are switched on. */
  constructor(ways: readonly string[], options?: ErrorOptions) {
    super('no tag in the startup packet', options)
    this.hint = ways.length === 0 ? undefined : `For a tenant "acme" write ${ways.join(', or ')}.`
  }
}

/** A tag comes by a startup parameter, where this source of tags is switched off. */
export class TagNotAcceptedError extends ProxyError {
  override readonly code = 'TAG_NOT_ACCEPTED'
  override readonly sqlState = SqlState.invalidAuthorizationSpecification
  override readonly origin = 'client'
  override readonly clientMessage: string

  constructor(tag: Tag, options?: ErrorOptions) {
    const text = `a tenant cannot be named by ${tag.source} here`
    super(text, options)
    this.clientMessage = text
  }
}

/** Two sources name different tenants. Both are the client's own words, so it may see them. */
export class TagsDisagreeError extends ProxyError {
  override readonly code = 'TAGS_DISAGREE'
  override readonly sqlState = SqlState.invalidAuthorizationSpecification
  override readonly origin = 'client'
  override readonly clientMessage: string
  override readonly hint: string

  /** @param hint - How the sources are read, where that may surprise. */
  constructor(tags: readonly [Tag, Tag], hint: string, options?: ErrorOptions) {
    const [one, other] = tags
    const text = `the connection names two tenants: ${describe(one)}, but ${describe(other)}`
    super(text, options)
    this.clientMessage = text
    this.hint = hint
  }
}

/** A tag isn't a tenant name at all. */
export class MalformedTenantNameError extends ProxyError {
  override readonly code = 'MALFORMED_TENANT_NAME'
  override readonly sqlState = SqlState.invalidAuthorizationSpecification
  override readonly origin = 'client'
  override readonly clientMessage: string
  override readonly hint =
    'A tenant name has 1 to 63 characters: a-z, 0-9, "_" and "-", and neither begins nor ends with "_" or "-".'

  constructor(tag: Tag, options?: ErrorOptions) {
    const text = `not a tenant name: ${describe(tag)}`
    super(text, options)
    this.clientMessage = text
  }
}

/** Why a setting was refused, and in which words. */
interface SettingRefusal {
  readonly sqlState: SqlState
  readonly text: string
  readonly hint: string
}

/** The client's startup packet sets something that it may not. Values are never shown. */
export class SettingRefusedError extends ProxyError {
  override readonly code = 'SETTING_REFUSED'
  override readonly sqlState: SqlState
  override readonly origin = 'client'
  override readonly clientMessage: string
  override readonly hint: string

  constructor(refusal: SettingRefusal, options?: ErrorOptions) {
    super(refusal.text, options)
    this.sqlState = refusal.sqlState
    this.clientMessage = refusal.text
    this.hint = refusal.hint
  }
}

/** A client's own words for a message: quoted and of bounded length. */
export function show(text: string): string {
  return text.length > SHOWN_CHARACTERS ? `"${text.slice(0, SHOWN_CHARACTERS)}"...` : `"${text}"`
}

function describe({ source, text }: Tag): string {
  return `${source} says ${show(text)}`
}
