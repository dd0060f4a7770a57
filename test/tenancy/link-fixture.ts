import { blockQuery, type Link, linkMove } from '../../src/tenancy/link.ts'

/** The simple query that moves a connection of a UTF8 database; `undefined` for none. */
export function linkQuery(
  link: Link | undefined,
  wanted: Link,
  isDirty: boolean,
): string | undefined {
  const move = linkMove({ link, isDirty, serverEncoding: 'UTF8' }, wanted)
  return move && blockQuery(move)
}
