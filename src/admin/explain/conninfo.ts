import { isAddress } from '../../server/open/loopback.ts'
import { MalformedConninfoError } from '../admin-errors.ts'

/** What a connection string makes a client say first. */
export interface Conninfo {
  /** Of the startup packet. */
  readonly parameters: ReadonlyMap<string, string>
  /** The name that TLS would be started for; `undefined` where there is none. */
  readonly serverName: string | undefined
  /** Keywords that libpq refuses, and that other drivers send as startup parameters. */
  readonly strangers: readonly string[]
}

/** Keywords that a server sees, by the startup parameter that each becomes, in libpq's order. */
const SENT: ReadonlyMap<string, string> = new Map([
  ['user', 'user'],
  ['dbname', 'database'],
  ['replication', 'replication'],
  ['options', 'options'],
  ['application_name', 'application_name'],
  ['client_encoding', 'client_encoding'],
])

/** Those that libpq keeps for itself. */
const UNSENT =
  /^(?:service|servicefile|password|passfile|require_auth|channel_binding|connect_timeout|host|hostaddr|port|fallback_application_name|keepalives(?:_idle|_interval|_count)?|tcp_user_timeout|requirepeer|krbsrvname|gss\w+|ssl\w*|(?:min|max)_protocol_version|target_session_attrs|load_balance_hosts|scram_(?:client|server)_key|oauth_\w+)$/

const URI_SHAPE = /^postgres(?:ql)?:\/\/(?:([^@/]*)@)?([^/?]*)(?:\/([^?]*))?(?:\?(.*))?$/s
/** The first host of a list. */
const FIRST_HOST = /^(?:\[([^\]]*)\]|([^:,]*))/
/** One `keyword = value`, the value in quotes or not; a backslash takes the next character. */
const PAIR = /\s*([^\s=]+)\s*=\s*(?:'((?:[^'\\]|\\.)*)'|((?:[^\s'\\]|\\.)(?:[^\s\\]|\\.)*|))\s*/sy

/**
 * Reads a connection string as libpq does, a URI or `keyword=value` pairs. The environment is not
 * asked for what is missing. Passwords are dropped.
 *
 * @throws MalformedConninfoError - when it is none; its text, which may hold a password, is not repeated.
 * @see https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING
 */
export function readConninfo(text: string): Conninfo {
  const keywords = /^postgres(?:ql)?:\/\//.test(text) ? readUri(text) : readPairs(text)
  const named = (keyword: string) => keywords.get(keyword) ?? ''
  // What libpq sends for no database is the user's name.
  const values = new Map(keywords)
  if (named('dbname') === '') values.set('dbname', named('user'))
  if (!keywords.has('application_name')) {
    values.set('application_name', named('fallback_application_name'))
  }
  const parameters = new Map<string, string>()
  for (const [keyword, parameter] of SENT) {
    const value = values.get(keyword) ?? ''
    if (value !== '') parameters.set(parameter, value)
  }
  const strangers = [...keywords.keys()].filter((name) => !SENT.has(name) && !UNSENT.test(name))
  for (const name of strangers) parameters.set(name, named(name))
  return { parameters, serverName: serverNameOf(keywords), strangers }
}

function readUri(text: string): ReadonlyMap<string, string> {
  const match = URI_SHAPE.exec(text)
  if (match === null) throw malformed()
  const [, userInfo = '', hosts = '', database = '', query = ''] = match
  const [, user = ''] = /^([^:]*)/.exec(userInfo) ?? []
  const [, address, name = ''] = FIRST_HOST.exec(hosts) ?? []
  const keywords = new Map([
    ['host', decode(address ?? name)],
    ['user', decode(user)],
    ['dbname', decode(database)],
  ])
  for (const pair of query === '' ? [] : query.split('&')) {
    const [keyword = '', value, ...more] = pair.split('=')
    if (keyword === '' || value === undefined || more.length > 0) throw malformed()
    keywords.set(decode(keyword), decode(value))
  }
  return keywords
}

function readPairs(text: string): ReadonlyMap<string, string> {
  const keywords = new Map<string, string>()
  PAIR.lastIndex = 0
  while (PAIR.lastIndex < text.length) {
    const match = PAIR.exec(text)
    if (match === null) throw malformed()
    const [, keyword = '', quoted, plain = ''] = match
    keywords.set(keyword, (quoted ?? plain).replace(/\\(.)/gs, '$1'))
  }
  if (keywords.size === 0) throw malformed()
  return keywords
}

/** SNI holds names, not addresses. */
function serverNameOf(keywords: ReadonlyMap<string, string>): string | undefined {
  const [host = ''] = (keywords.get('host') ?? '').split(',')
  if (host === '' || /^[/@]/.test(host) || isAddress(host)) return undefined
  const isSilent = keywords.get('sslmode') === 'disable' || keywords.get('sslsni') === '0'
  return isSilent ? undefined : host.toLowerCase()
}

/** Unlike in a form, `+` is no space. */
function decode(text: string): string {
  try {
    const decoded = decodeURIComponent(text)
    if (!decoded.includes('\0')) return decoded
  } catch {
    // Told below.
  }
  throw malformed()
}

function malformed(): MalformedConninfoError {
  return new MalformedConninfoError()
}
