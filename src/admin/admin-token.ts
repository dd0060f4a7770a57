import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { AdminTokenFileError } from './admin-errors.ts'

const TOKEN_BYTES = 32
const OWNER_ONLY = 0o600

/** Where the token of the admin port is. */
export interface TokenPlace {
  readonly token?: string | undefined
  /** Given a random token where `token` is not set. */
  readonly tokenFile?: string | undefined
}

/** What requests that change something have to bear. */
export interface AdminToken {
  /** `undefined`: no such request is taken. */
  readonly value: string | undefined
  /** Removes the file that was made for it, unless another process has made it anew. */
  remove(): void
}

/**
 * Takes the token that is set, or makes one for this process and writes it to the file.
 *
 * @throws AdminTokenFileError - the file can't be written.
 */
export function openToken({ token, tokenFile }: TokenPlace): AdminToken {
  if (token !== undefined || tokenFile === undefined) return { value: token, remove() {} }
  const made = randomBytes(TOKEN_BYTES).toString('base64url')
  try {
    // One that was left behind would keep the mode that it has.
    rmSync(tokenFile, { force: true })
    writeFileSync(tokenFile, `${made}\n`, { flag: 'wx', mode: OWNER_ONLY })
  } catch (error) {
    throw new AdminTokenFileError(tokenFile, { cause: error })
  }
  return {
    value: made,
    remove() {
      if (tryRead(tokenFile) === made) rmSync(tokenFile, { force: true })
    },
  }
}

/**
 * The token that a running proxy of the same configuration takes; `undefined` where it takes none.
 *
 * @throws AdminTokenFileError - the file can't be read: most likely the proxy does not run.
 */
export function readToken({ token, tokenFile }: TokenPlace): string | undefined {
  if (token !== undefined || tokenFile === undefined) return token
  try {
    return read(tokenFile)
  } catch (error) {
    throw new AdminTokenFileError(tokenFile, { cause: error })
  }
}

/** Compares in a time that tells nothing of the token, not even its length. */
export function isSameToken(given: string, token: string): boolean {
  return timingSafeEqual(digest(given), digest(token))
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

function read(file: string): string {
  return readFileSync(file, 'utf8').trimEnd()
}

function tryRead(file: string): string | undefined {
  try {
    return read(file)
  } catch {
    return undefined
  }
}
