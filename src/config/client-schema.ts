import { isAbsolute } from 'node:path'
import { z } from 'zod'
import { fields, problem } from '../catalog/documents/fields.ts'
import { parseTagPattern, type TagPlaceholder } from '../tenancy/tag-pattern.ts'

const { nonEmpty, port } = fields

/** What Linux takes for the path of a unix socket, less `/.s.PGSQL.65535` and a NUL. */
const MAX_SOCKET_DIR_BYTES = 92

const absolutePath = nonEmpty.refine((path) => isAbsolute(path), {
  ...problem('is no absolute path', 'Begin it with /.'),
})

const socketDir = absolutePath.refine((path) => Buffer.byteLength(path) <= MAX_SOCKET_DIR_BYTES, {
  ...problem(
    `is longer than the ${MAX_SOCKET_DIR_BYTES} bytes that the path of a unix socket has room for`,
    'Use a directory with a shorter path, such as /run/pgusher.',
  ),
})

const fileMode = z.string().refine((text) => /^0?[0-7]{3}$/.test(text), {
  ...problem('is no file mode', "Write it in octal and in quotes, such as '0770'."),
})

const pattern = (placeholder: TagPlaceholder, subject: string, remedy: string) =>
  z.string().refine((text) => parseTagPattern(text, placeholder) !== undefined, {
    ...problem(`is no pattern for ${subject}`, remedy),
  })

const userPattern = pattern(
  'user',
  'a user',
  'Write {user} and {tenant} once each, with a sign between them, such as {user}.{tenant}.',
)
const databasePattern = pattern(
  'database',
  'a database',
  'Write {tenant} once, and {database} at most once with a sign between them.',
)
/** Names of hosts know no capitals, and come to the pattern in lower case. */
const hostPattern = pattern(
  'none',
  'a host name',
  'Write {tenant} once and nothing else in braces, such as {tenant}.db.example.com.',
).refine((text) => text === text.toLowerCase(), {
  ...problem('has capitals', 'Write it in lower case: host names are compared so.'),
})

/** Where clients are awaited. */
export const listen = z.strictObject({
  host: nonEmpty.default('127.0.0.1').describe('Address that clients connect to.'),
  port: port.default(6432).describe('TCP port that clients connect to.'),
  backlog: z
    .int()
    .min(1)
    .max(65_535)
    .default(511)
    .describe('Connections that the system holds until they are accepted; it may allow fewer.'),
  socketDir: socketDir
    .optional()
    .describe(
      'Directory of a unix socket, `.s.PGSQL.<port>`, on which clients are awaited as well.',
    ),
  socketMode: fileMode
    .default('0777')
    .describe('Who may use the unix socket, as an octal file mode; as in Postgres, everybody.'),
})

/** How connections with clients are encrypted. */
export const tls = z.strictObject({
  client: z
    .strictObject({
      mode: z
        .enum(['disable', 'allow', 'require'])
        .optional()
        .describe(
          'Whether clients get TLS; else `allow` with a certificate and `disable` without. `require` refuses clients that come over TCP without it.',
        ),
      cert: absolutePath
        .optional()
        .describe(
          'PEM file with our certificate, followed by those between it and its root. Read again on SIGHUP.',
        ),
      key: absolutePath
        .optional()
        .describe('PEM file with the private key of `tls.client.cert`, not encrypted.'),
      ca: absolutePath
        .optional()
        .describe(
          'PEM file with the authorities that vouch for the certificates of clients. Clients are then asked for one, and refused if it is not valid.',
        ),
    })
    .prefault({}),
})

/** How clients name their tenant. */
export const tag = z.strictObject({
  parameter: z
    .boolean()
    .default(true)
    .describe(
      'Whether a startup parameter (`tenant=acme`, or `-c pgusher.tenant=acme` in `options`) may name the tenant.',
    ),
  user: z
    .union([userPattern, z.literal(false)])
    .default('{user}.{tenant}')
    .describe('Pattern by which the user names the tenant, or `false`.'),
  database: z
    .union([databasePattern, z.literal(false)])
    .default(false)
    .describe(
      'Pattern by which the database names the tenant, such as `{tenant}` or `{database}@{tenant}`, or `false`.',
    ),
  sni: z
    .union([hostPattern, z.literal(false)])
    .default(false)
    .describe(
      'Pattern by which the host name that the client connects to names the tenant, such as `{tenant}.db.example.com`, or `false`. It comes with TLS (SNI); the certificate has to cover the names.',
    ),
  certificate: z
    .union([hostPattern, z.literal(false)])
    .default(false)
    .describe(
      "Pattern by which the client's certificate names the tenant, such as `{tenant}` or `{tenant}.clients.example.com`, or `false`. Its DNS names are read; its CN where it has none.",
    ),
})
