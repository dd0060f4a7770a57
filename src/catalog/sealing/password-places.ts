import type { CatalogRow } from '../entry.ts'
import type { SealContext } from './key-ring.ts'

/** Settings of a row, as plain JSON that nobody has checked yet. */
export type Settings = CatalogRow['settings']

/** What happens to the passwords of a row. */
export interface PasswordExchange {
  /** Gives the password that is to stand at a place, for the one that stands there now. */
  exchange(place: string, password: string | undefined): string | undefined
  /** Told of what is no text, no object or no URL with a user in it; it is left as it is. */
  skip(place: string): void
}

/** A URL with a user, and with a password nowhere but behind it. */
const URL_SHAPE =
  /^(postgres(?:ql)?:\/\/)([^@/?#:]*)(?::([^@/?#]*))?@((?!.*[?&](?:ssl)?password=)[^@]*)$/s

/** The place of a row's main password. */
export function urlPlaceOf(kind: SealContext['kind']): 'databaseUrl' | 'url' {
  return kind === 'tenant' ? 'databaseUrl' : 'url'
}

/**
 * A copy of settings in which each place of a password has been exchanged: `databaseUrl` and
 * `serverLogin` of a tenant or `url` of a server, `authQuery.url`, and `users.<login>`. URLs are
 * changed as text: they may name sockets and hold `{tenant}`.
 */
export function exchangePasswords(
  settings: Settings,
  kind: SealContext['kind'],
  passwords: PasswordExchange,
): Settings {
  const urlKey = urlPlaceOf(kind)
  let changed = replaceValue(settings, urlKey, (url) => exchangeInUrl(url, urlKey, passwords))
  changed = replaceValue(changed, 'authQuery', (authQuery) => {
    if (!isObject(authQuery)) return skip(authQuery, 'authQuery', passwords)
    return replaceValue(authQuery, 'url', (url) => exchangeInUrl(url, 'authQuery.url', passwords))
  })
  if (kind === 'tenant') {
    changed = replaceValue(changed, 'serverLogin', (login) =>
      exchangeOfUser(login, 'serverLogin', passwords),
    )
  }
  return replaceValue(changed, 'users', (users) => {
    if (!isObject(users)) return skip(users, 'users', passwords)
    const logins = Object.entries(users)
    return Object.fromEntries(
      logins.map(([login, user]) => [login, exchangeOfUser(user, `users.${login}`, passwords)]),
    )
  })
}

function exchangeInUrl(url: unknown, place: string, passwords: PasswordExchange): unknown {
  const [, scheme, user, encoded, rest] = typeof url === 'string' ? (URL_SHAPE.exec(url) ?? []) : []
  const plain = decode(encoded ?? '')
  if (scheme === undefined || plain === undefined) return skip(url, place, passwords)
  const password = passwords.exchange(place, plain === '' ? undefined : plain)
  const ending = password === undefined ? '' : `:${encodeURIComponent(password)}`
  return `${scheme}${user}${ending}@${rest}`
}

function exchangeOfUser(entry: unknown, place: string, passwords: PasswordExchange): unknown {
  if (!isObject(entry)) return skip(entry, place, passwords)
  const { password: current, ...others } = entry
  const plain = current ?? ''
  if (typeof plain !== 'string') return skip(entry, place, passwords)
  const password = passwords.exchange(place, plain === '' ? undefined : plain)
  return password === undefined ? others : { ...others, password }
}

function skip(value: unknown, place: string, passwords: PasswordExchange): unknown {
  passwords.skip(place)
  return value
}

function replaceValue(
  record: Settings,
  key: string,
  change: (value: unknown) => unknown,
): Settings {
  const value = Object.hasOwn(record, key) ? record[key] : undefined
  return value === undefined || value === null ? record : { ...record, [key]: change(value) }
}

function isObject(value: unknown): value is Settings {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}
