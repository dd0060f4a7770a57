import { nearestName } from '../../base/nearest-name.ts'
import type { ServerTarget } from '../route.ts'
import type { Finding } from './problems.ts'
import { ServerTlsReader, TLS_PARAMETERS } from './server-tls.ts'

const URL_SHAPE =
  /^postgres(?:ql)?:\/\/(?:([^@/?#]*)@)?(\[[^\]]*\]|[^:/?#@]*)(?::([^/?#@]*))?(?:\/([^?#]*))?(?:\?([^#]*))?$/
const SHAPE_REMEDY =
  'Write postgresql://user:password@host:port/database, with percent-encoding for @ : / ? # and % in its parts.'
const DEFAULT_PORT = 5432
const PARAMETERS = ['host', 'port', ...TLS_PARAMETERS]

type UrlResult =
  | { readonly kind: 'target'; readonly target: ServerTarget }
  | { readonly kind: 'problem'; readonly finding: Finding }

/** What a URL says, decoded. */
interface UrlParts {
  readonly user: string
  readonly password: string
  readonly host: string
  readonly database: string
}

/**
 * Reads a server URL as libpq does, as far as PgUsher supports it, and the files that it names.
 * What it finds fault with is named without the URL's text, which holds a password.
 *
 * @see https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS
 */
export function parseServerUrl(
  url: string,
  tlsReader: ServerTlsReader = new ServerTlsReader(),
): UrlResult {
  const match = URL_SHAPE.exec(url)
  if (match === null) return problem('is no server URL', SHAPE_REMEDY)
  const [, userInfo = '', authorityHost = '', portText = '', database = '', query = ''] = match
  const parameters = parseParameters(query)
  if (!(parameters instanceof Map)) return parameters
  const [, user = '', password = ''] = /^([^:]*):?(.*)$/s.exec(userInfo) ?? []
  const texts = [user, password, authorityHost, database].map(decode)
  if (!areDecoded(texts)) return undecodable()
  const parts = partsOf(texts, parameters)
  const fault = faultOf(parts)
  if (fault !== undefined) return fault
  const port = parsePort(parameters.get('port') ?? portText)
  if (port === undefined) return problem('has a port that is not from 1 to 65535', SHAPE_REMEDY)
  const read = tlsReader.read(parameters, parts.host)
  if ('finding' in read) return { kind: 'problem', finding: read.finding }
  // `user:@host` says an empty password, which is the same as none.
  const given = parts.password === '' ? undefined : parts.password
  return { kind: 'target', target: { ...parts, port, password: given, tls: read.tls } }
}

function areDecoded(texts: readonly (string | undefined)[]): texts is readonly string[] {
  return texts.every((text) => text !== undefined)
}

function partsOf(texts: readonly string[], parameters: ReadonlyMap<string, string>): UrlParts {
  const [user = '', password = '', authorityHost = '', database = ''] = texts
  const host = (parameters.get('host') ?? authorityHost).replace(/^\[(.*)\]$/, '$1')
  return { user, password, host, database }
}

function faultOf({ user, host, database }: UrlParts): UrlResult | undefined {
  for (const [name, text] of Object.entries({ user, host, database })) {
    if (text === '') return problem(`names no ${name}`, SHAPE_REMEDY)
  }
  if (!host.includes(',')) return undefined
  return problem('names more than one host', 'Name one; a DNS name may lead to several.')
}

function problem(message: string, remedy: string): Extract<UrlResult, { kind: 'problem' }> {
  return { kind: 'problem', finding: { message, remedy } }
}

function undecodable(): UrlResult {
  return problem('has a % that encodes no text', SHAPE_REMEDY)
}

/** Not URLSearchParams, which would read `+` as a space, unlike libpq. */
function parseParameters(query: string): Map<string, string> | UrlResult {
  const parameters = new Map<string, string>()
  for (const pair of query === '' ? [] : query.split('&')) {
    const [name = '', text = ''] = pair.split('=', 2)
    if (!PARAMETERS.includes(name)) return unknownParameter(name)
    const value = decode(text)
    if (value === undefined) return undecodable()
    parameters.set(name, value)
  }
  return parameters
}

function unknownParameter(name: string): UrlResult {
  const nearest = nearestName(name, PARAMETERS)
  const remedy =
    nearest === undefined ? `Use ${PARAMETERS.join(', ')} only.` : `Did you mean ${nearest}?`
  return problem('has an unknown parameter after its ?', remedy)
}

function parsePort(text: string): number | undefined {
  if (text === '') return DEFAULT_PORT
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0
  return port >= 1 && port <= 65_535 ? port : undefined
}

/** `undefined` for what encodes no text, or a NUL, which no text of Postgres holds. */
function decode(text: string): string | undefined {
  try {
    const decoded = decodeURIComponent(text)
    return decoded.includes('\0') ? undefined : decoded
  } catch {
    return undefined
  }
}
