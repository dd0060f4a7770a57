import type { ServerTarget } from '../catalog/route.ts'
import type { Finding } from './config-errors.ts'
import { nearestName } from './nearest-name.ts'

const URL_SHAPE =
  /^postgres(?:ql)?:\/\/(?:([^@/?#]*)@)?(\[[^\]]*\]|[^:/?#@]*)(?::([^/?#@]*))?(?:\/([^?#]*))?(?:\?([^#]*))?$/
const SHAPE_REMEDY =
  'Write postgresql://user:password@host:port/database, with percent-encoding for @ : / ? # and % in its parts.'
const DEFAULT_PORT = 5432
const PARAMETERS = ['host', 'port', 'sslmode']
const SSL_MODES = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full']

type UrlResult =
  | { readonly kind: 'target'; readonly target: ServerTarget }
  | { readonly kind: 'problem'; readonly finding: Finding }

/**
 * Reads a server URL as libpq does, as far as PgUsher supports it. What it finds fault with is
 * named without the URL's text, which holds a password.
 *
 * @see https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS
 */
export function parseServerUrl(url: string): UrlResult {
  const match = URL_SHAPE.exec(url)
  if (match === null) return problem('is no server URL', SHAPE_REMEDY)
  const [, userInfo = '', authorityHost = '', portText = '', database = '', query = ''] = match
  const parameters = parseParameters(query)
  if (!(parameters instanceof Map)) return parameters
  const [, user = '', password = ''] = /^([^:]*):?(.*)$/s.exec(userInfo) ?? []
  const host = parameters.get('host') ?? authorityHost
  const texts = [user, password, host, database].map(decode)
  if (!areDecoded(texts)) return problem('has a % that encodes no text', SHAPE_REMEDY)
  return buildTarget(texts, parsePort(parameters.get('port') ?? portText))
}

function areDecoded(texts: readonly (string | undefined)[]): texts is readonly string[] {
  return texts.every((text) => text !== undefined && !text.includes('\0'))
}

function buildTarget(texts: readonly string[], port: number | undefined): UrlResult {
  const [user = '', password = '', hostText = '', database = ''] = texts
  const host = hostText.replace(/^\[(.*)\]$/, '$1')
  for (const [name, text] of Object.entries({ user, host, database })) {
    if (text === '') return problem(`names no ${name}`, SHAPE_REMEDY)
  }
  if (host.includes(',')) {
    return problem('names more than one host', 'Name one; a DNS name may lead to several.')
  }
  if (port === undefined) return problem('has a port that is not from 1 to 65535', SHAPE_REMEDY)
  // `user:@host` says an empty password, which is the same as none.
  const target = { host, port, database, user, password: password === '' ? undefined : password }
  return { kind: 'target', target }
}

function problem(message: string, remedy: string): Extract<UrlResult, { kind: 'problem' }> {
  return { kind: 'problem', finding: { message, remedy } }
}

/** Not URLSearchParams, which would read `+` as a space, unlike libpq. */
function parseParameters(query: string): Map<string, string> | UrlResult {
  const parameters = new Map<string, string>()
  for (const pair of query === '' ? [] : query.split('&')) {
    const [name = '', value = ''] = pair.split('=', 2)
    if (!PARAMETERS.includes(name)) return unknownParameter(name)
    parameters.set(name, value)
  }
  const sslMode = parameters.get('sslmode')
  return sslMode === undefined ? parameters : (refuseSslMode(sslMode) ?? parameters)
}

function unknownParameter(name: string): UrlResult {
  const nearest = nearestName(name, PARAMETERS)
  const remedy =
    nearest === undefined ? `Use ${PARAMETERS.join(', ')} only.` : `Did you mean ${nearest}?`
  return problem('has an unknown parameter after its ?', remedy)
}

function refuseSslMode(mode: string): UrlResult | undefined {
  switch (mode) {
    case 'disable':
    case 'allow':
    case 'prefer':
      return undefined
    case 'require':
    case 'verify-ca':
    case 'verify-full':
      return problem(
        `asks for sslmode=${mode}, and TLS to servers is not supported yet`,
        'Use sslmode=disable where the network to the server is trusted; else wait for TLS.',
      )
    default: {
      const nearest = nearestName(mode, SSL_MODES)
      return problem(
        'has an unknown sslmode',
        nearest === undefined ? 'Use disable or prefer.' : `Did you mean ${nearest}?`,
      )
    }
  }
}

function parsePort(text: string): number | undefined {
  if (text === '') return DEFAULT_PORT
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0
  return port >= 1 && port <= 65_535 ? port : undefined
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}
