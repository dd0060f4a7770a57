import { readFileSync } from 'node:fs'
import { isAbsolute } from 'node:path'
import type { Finding } from '../../catalog/documents/problems.ts'

interface Missing extends Finding {
  readonly kind: 'missing'
}

/** A text with its references resolved, or what is wrong with one of them. */
export type Resolved =
  | { readonly kind: 'text'; readonly text: string; readonly isChanged: boolean }
  | Missing

export type ReferenceResolver = (text: string) => Resolved

type Piece = { readonly literal: string } | { readonly reference: string }

const TOKEN = /\$\$\{|\$\{[^}]*\}?/g
const SERVER_URL = /^postgres(ql)?:\/\//

/**
 * A resolver of `${env:NAME}` and `${file:/path}` (whose trailing newline is cut); `$${` stands
 * for a plain `${`. What a reference brings in is not searched for references again.
 *
 * A reference before the `@` of a server URL stands for the bare secret: it is percent-encoded
 * here, so that a password may hold any character.
 */
export function createReferenceResolver(env: NodeJS.ProcessEnv): ReferenceResolver {
  const files = new Map<string, string | undefined>()
  const readFile = (path: string): string | undefined => {
    if (!files.has(path)) files.set(path, readSecretFile(path))
    return files.get(path)
  }
  return (text) => {
    if (!text.includes('${')) return { kind: 'text', text, isChanged: false }
    return resolvePieces(splitText(text), (reference) => lookUp(reference, env, readFile))
  }
}

function resolvePieces(
  pieces: readonly Piece[],
  look: (reference: string) => string | Missing,
): Resolved {
  let text = ''
  for (const [index, piece] of pieces.entries()) {
    if ('literal' in piece) {
      text += piece.literal
      continue
    }
    const value = look(piece.reference)
    if (typeof value === 'object') return value
    text += isUserInfo(pieces, index) ? encodeURIComponent(value) : value
  }
  return { kind: 'text', text, isChanged: true }
}

function splitText(text: string): Piece[] {
  const pieces: Piece[] = []
  let from = 0
  for (const { 0: token, index } of text.matchAll(TOKEN)) {
    if (index > from) pieces.push({ literal: text.slice(from, index) })
    pieces.push(token === '$${' ? { literal: '${' } : { reference: token })
    from = index + token.length
  }
  if (from < text.length) pieces.push({ literal: text.slice(from) })
  return pieces
}

function isUserInfo(pieces: readonly Piece[], index: number): boolean {
  const first = pieces[0]
  if (first === undefined || !('literal' in first) || !SERVER_URL.test(first.literal)) return false
  return pieces.slice(index + 1).some((piece) => 'literal' in piece && piece.literal.includes('@'))
}

function lookUp(
  reference: string,
  env: NodeJS.ProcessEnv,
  readFile: (path: string) => string | undefined,
): string | Missing {
  const [, kind, name] = /^\$\{(env|file):([^}]+)\}$/.exec(reference) ?? []
  if (kind === undefined || name === undefined) {
    return missing(
      'holds ${ that starts no reference',
      // biome-ignore lint/suspicious/noTemplateCurlyInString: the syntax of references
      'Write ${env:NAME} or ${file:/path}, or $${ where the text itself holds ${.',
    )
  }
  if (kind === 'env') {
    const remedy = `Set ${name} in the environment of pgusher.`
    return env[name] ?? missing(`environment variable ${name} is not set`, remedy)
  }
  if (!isAbsolute(name)) {
    return missing(`file ${name} is no absolute path`, 'Begin the path with /.')
  }
  const remedy = 'Create the file, or let the user that runs pgusher read it.'
  return readFile(name) ?? missing(`file ${name} can't be read`, remedy)
}

function missing(message: string, remedy: string): Missing {
  return { kind: 'missing', message, remedy }
}

function readSecretFile(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').replace(/\r?\n$/, '')
  } catch {
    return undefined
  }
}
