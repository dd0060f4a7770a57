import t from 'tap'
import { type AuthAnswer, answerAt, readAnswer, UNKNOWN } from '../../src/auth/auth-answer.ts'
import { deriveVerifier, formatVerifier } from '../../src/wire/scram/scram.ts'

const VERIFIER = deriveVerifier('open sesame')
const TEXT = formatVerifier(VERIFIER)
const HASH = '0123456789abcdef0123456789abcdef'
const NEVER = Number.POSITIVE_INFINITY

const scram = { kind: 'scram', verifier: VERIFIER }
const found = (secret: unknown, validUntilMs: number = NEVER) => ({
  secret,
  lack: undefined,
  validUntilMs,
})
const unsuitable = { secret: undefined, lack: 'unsuitableSecret', validUntilMs: NEVER }

const ROWS = [
  { name: 'a verifier', rows: [['app', TEXT]], is: found(scram) },
  { name: 'an md5 hash', rows: [['app', `md5${HASH}`]], is: found({ kind: 'md5', hash: HASH }) },
  { name: 'no end', rows: [['app', TEXT, null]], is: found(scram) },
  { name: 'an end', rows: [['app', TEXT, new Date(5)]], is: found(scram, 5) },
  { name: 'infinity', rows: [['app', TEXT, NEVER]], is: found(scram) },
  { name: 'minus infinity', rows: [['app', TEXT, -NEVER]], is: found(scram, -NEVER) },
  { name: 'more columns', rows: [['app', TEXT, null, 'x']], is: found(scram) },
  { name: 'no password', rows: [['app', null]], is: unsuitable },
  { name: 'a plain password', rows: [['app', 'secret']], is: unsuitable },
  { name: 'a broken verifier', rows: [['app', TEXT.slice(0, -4)]], is: unsuitable },
  { name: 'nobody', rows: [], is: UNKNOWN },
  { name: 'somebody else', rows: [['APP', TEXT]], is: UNKNOWN },
  { name: 'no name', rows: [[null, TEXT]], is: UNKNOWN },
  { name: 'one column', rows: [['app']], is: undefined },
  {
    name: 'two rows',
    rows: [
      ['app', TEXT],
      ['app', TEXT],
    ],
    is: undefined,
  },
  { name: 'an end that is a text', rows: [['app', TEXT, 'tomorrow']], is: undefined },
  { name: 'an end that is no time', rows: [['app', TEXT, Number.NaN]], is: undefined },
] as const

for (const { name, rows, is } of ROWS) {
  t.test(`a server that says: ${name}`, async (t) => {
    t.strictSame(readAnswer(rows, 'app'), is)
  })
}

t.test('a password ends at its time', async (t) => {
  const answer = readAnswer([['app', TEXT, new Date(1000)]], 'app') as AuthAnswer
  t.equal(answerAt(answer, 999), answer)
  for (const nowMs of [1000, 1001]) {
    t.match(answerAt(answer, nowMs), { secret: undefined, lack: 'passwordExpired' })
  }
  t.equal(answerAt(UNKNOWN, 0), UNKNOWN)
})
