/** How a tenant is written into a user, a database or a host name. */
export interface TagPattern {
  readonly prefix: string
  readonly suffix: string
  /** `undefined` when the whole name between prefix and suffix is the tenant. */
  readonly separator: string | undefined
  readonly isTenantFirst: boolean
}

/** The two halves of a name that fits a pattern, both unchecked and perhaps empty. */
export interface TagParts {
  readonly tenant: string
  /** The login or the database; empty when the pattern has only `{tenant}`. */
  readonly rest: string
}

/** What stands beside the tenant: `user`, which must be there, `database`, or nothing at all. */
export type TagPlaceholder = 'user' | 'database' | 'none'

/**
 * Reads a pattern such as `{user}.{tenant}`: literal text with `{tenant}` and at most one other
 * placeholder, with text between the two.
 *
 * @returns `undefined` when the pattern is malformed.
 */
export function parseTagPattern(
  pattern: string,
  placeholder: TagPlaceholder,
): TagPattern | undefined {
  const [prefix = '', first, between = '', second, suffix = '', ...more] =
    pattern.split(/\{([^{}]*)\}/)
  if (more.length > 0 || /[{}]/.test(prefix + between + suffix)) return undefined
  if (second === undefined) {
    const isWhole = first === 'tenant' && placeholder !== 'user'
    return isWhole
      ? { prefix, suffix: between, separator: undefined, isTenantFirst: true }
      : undefined
  }
  const isTenantFirst = first === 'tenant'
  const isKnown = isTenantFirst ? second === placeholder : first === placeholder
  if (
    placeholder === 'none' ||
    !isKnown ||
    (!isTenantFirst && second !== 'tenant') ||
    between === ''
  )
    return undefined
  return { prefix, suffix, separator: between, isTenantFirst }
}

/**
 * Takes a name apart. Of several separators the one nearest to the tenant counts, since a login
 * may hold it and a tenant's name hardly does.
 *
 * @returns `undefined` when `name` doesn't have the form of the pattern.
 */
export function matchTagPattern(pattern: TagPattern, name: string): TagParts | undefined {
  const { prefix, suffix, separator, isTenantFirst } = pattern
  const isFramed = name.startsWith(prefix) && name.endsWith(suffix)
  if (!isFramed || name.length < prefix.length + suffix.length) return undefined
  const inner = name.slice(prefix.length, name.length - suffix.length)
  if (separator === undefined) return { tenant: inner, rest: '' }
  const cut = isTenantFirst ? inner.indexOf(separator) : inner.lastIndexOf(separator)
  if (cut < 0) return undefined
  const left = inner.slice(0, cut)
  const right = inner.slice(cut + separator.length)
  return isTenantFirst ? { tenant: left, rest: right } : { tenant: right, rest: left }
}
