const NEWLINE = 0x0a
const RETURN = 0x0d
const SPACE = 0x20
const QUOTE = 0x27
const STAR = 0x2a
const MINUS = 0x2d
const SLASH = 0x2f
const OPEN_PAIR = (SLASH << 8) | STAR
const CLOSE_PAIR = (STAR << 8) | SLASH

/** Tab, newline, vertical tab (from Postgres 16 on; before, an error), form feed, return, space. */
export function isSpace(byte: number | undefined): boolean {
  return byte === SPACE || (byte !== undefined && byte >= 0x09 && byte <= RETURN)
}

/** Behind the spaces and comments that stand at `at`. */
export function skipBlank(bytes: Buffer, at: number, end: number): number {
  let next = at
  while (next < end) {
    const byte = bytes[next]
    if (isSpace(byte)) next += 1
    else if (byte === MINUS && startsLineComment(bytes, next, end))
      next = endOfLine(bytes, next, end)
    else if (byte === SLASH && startsBlockComment(bytes, next, end)) {
      next = endOfBlockComment(bytes, next, end)
    } else break
  }
  return next
}

/**
 * Where a literal goes on whose closing quote stands before `at`: behind the opening quote of its
 * next part, which must be on another line, with no block comment between. -1 when it ends here.
 */
export function findContinuation(bytes: Buffer, at: number, end: number): number {
  let hasNewline = false
  let next = at
  let onward = skipSpaceOrLine(bytes, next, end)
  while (onward > next) {
    if (isNewline(bytes[next])) hasNewline = true
    next = onward
    onward = skipSpaceOrLine(bytes, next, end)
  }
  return hasNewline && next < end && bytes[next] === QUOTE ? next + 1 : -1
}

/** Behind the space or the rest of a line that is a comment, if either stands at `at`. */
function skipSpaceOrLine(bytes: Buffer, at: number, end: number): number {
  if (at >= end) return at
  if (isSpace(bytes[at])) return at + 1
  const isComment = bytes[at] === MINUS && startsLineComment(bytes, at, end)
  return isComment ? endOfLine(bytes, at, end) : at
}

function isNewline(byte: number | undefined): boolean {
  return byte === NEWLINE || byte === RETURN
}

function startsLineComment(bytes: Buffer, at: number, end: number): boolean {
  return at + 1 < end && bytes[at + 1] === MINUS
}

function startsBlockComment(bytes: Buffer, at: number, end: number): boolean {
  return at + 1 < end && bytes[at + 1] === STAR
}

function endOfLine(bytes: Buffer, at: number, end: number): number {
  let next = at
  while (next < end && !isNewline(bytes[next])) next += 1
  return next
}

/** Block comments nest. */
function endOfBlockComment(bytes: Buffer, at: number, end: number): number {
  let depth = 0
  let next = at
  while (next + 1 < end) {
    const pair = ((bytes[next] as number) << 8) | (bytes[next + 1] as number)
    if (pair === OPEN_PAIR) depth += 1
    else if (pair === CLOSE_PAIR) depth -= 1
    else {
      next += 1
      continue
    }
    next += 2
    if (depth === 0) return next
  }
  return end
}
