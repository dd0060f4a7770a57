import { buffer } from 'node:stream/consumers'
import { type CommandIo, UsageError } from './command.ts'

/**
 * Reads a secret from stdin: one line, whose end is not part of it.
 *
 * @throws UsageError - when it is empty, of several lines, or not in UTF-8.
 */
export async function readSecretLine(stdin: CommandIo['stdin']): Promise<string> {
  const bytes = await buffer(stdin)
  const [, secret] = /^([^\r\n\0]+)\r?\n?$/.exec(decode(bytes) ?? '') ?? []
  if (secret === undefined) throw new UsageError('give the secret on stdin, as one line')
  return secret
}

function decode(bytes: Buffer): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return undefined
  }
}
