import { createHash } from 'node:crypto'

/**
 * What Postgres stores for an md5 login, without its `md5` prefix: 32 hex digits.
 *
 * @see https://www.postgresql.org/docs/current/protocol-flow.html
 */
export function md5Hash(password: string, user: string): string {
  return md5(Buffer.from(password + user, 'utf8'))
}

/**
 * What a client answers to AuthenticationMD5Password.
 *
 * @param hash - From {@link md5Hash}.
 * @param salt - The four bytes of the request.
 */
export function md5Response(hash: string, salt: Buffer): string {
  return `md5${md5(Buffer.concat([Buffer.from(hash, 'ascii'), salt]))}`
}

function md5(bytes: Buffer): string {
  return createHash('md5').update(bytes).digest('hex')
}
