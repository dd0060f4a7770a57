import { bind, execute, parse, query, sync } from '../../support/raw-client.ts'
import type { Statement } from './state-kind.ts'

export type ProtocolName = 'simple' | 'extended' | 'pipelined'

export const PROTOCOLS: readonly ProtocolName[] = ['simple', 'extended', 'pipelined']

/** Statements as requests: each ends with one ReadyForQuery. */
export function requestsOf(
  protocol: ProtocolName,
  statements: readonly (string | Statement)[],
): readonly Buffer[] {
  const whole = statements.map((one) => (typeof one === 'string' ? { text: one } : one))
  switch (protocol) {
    case 'simple':
      return whole.map(({ text }) => query(text))
    case 'extended':
      return whole.map((one) => Buffer.concat([...extended(one), sync]))
    case 'pipelined':
      return whole.length === 0 ? [] : [Buffer.concat([...whole.flatMap(extended), sync])]
  }
}

/** All of them as one request, or as few as the protocol allows. */
export function asOneRequest(
  protocol: ProtocolName,
  statements: readonly (string | Statement)[],
): readonly Buffer[] {
  if (protocol !== 'simple') return requestsOf('pipelined', statements)
  return [query(statements.map((one) => (typeof one === 'string' ? one : one.text)).join('; '))]
}

function extended({ text, values = [], name = '' }: Statement): readonly Buffer[] {
  return [parse(name, text), bind('', name, values), execute()]
}
