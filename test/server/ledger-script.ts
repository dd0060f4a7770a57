import type { Test } from 'tap'
import { type Owed, ReplyLedger } from '../../src/server/reply-ledger.ts'
import { BackendCode } from '../../src/wire/message-codes.ts'

/** The types of replies that there are. */
export const CODES: ReadonlySet<number> = new Set(Object.values(BackendCode))

/** One script for a ledger. Replies go by the letter of their type byte. */
export interface LedgerRow {
  readonly name: string
  /** What is sent (`query`) and what comes (`< Z`), in order. */
  readonly script: string
  /** The last verdict. */
  readonly expects?: 'pass' | 'drop' | 'surprise'
  readonly isSettled: boolean
  readonly isDoubtful?: boolean
}

/** Plays one script to a ledger of its own. */
export function playRow(t: Test, { script, expects, isSettled, isDoubtful }: LedgerRow): void {
  const ledger = new ReplyLedger()
  const last = play(ledger, script)
  if (expects !== undefined) t.equal(last, expects)
  else t.not(last, 'surprise')
  t.equal(ledger.isSettled, isSettled)
  if (isDoubtful !== undefined) t.equal(ledger.isDoubtful, isDoubtful)
}

/** Every verdict but the last has to be a foreseen one. */
function play(ledger: ReplyLedger, script: string): string {
  const words = script.split(' ').filter((word) => word !== '')
  let verdict = ''
  for (let index = 0; index < words.length; index += 1) {
    const word = words[index] as string
    if (word !== '<') {
      ledger.push(word as Owed)
      continue
    }
    index += 1
    if (verdict === 'surprise') throw new Error(`surprised before the end of ${script}`)
    const code = (words[index] as string).charCodeAt(0)
    if (!CODES.has(code)) throw new Error(`no such reply in ${script}`)
    verdict = ledger.settle(code)
  }
  return verdict
}
