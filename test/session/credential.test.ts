import t from 'tap'
import type { AuthMethod, SecretSource } from '../../src/catalog/login.ts'
import { isPasswordChanged } from '../../src/session/follow/credential.ts'

const ONE: SecretSource = { kind: 'md5', hash: 'one' }
const SAME: SecretSource = { kind: 'md5', hash: 'one' }
const TWO: SecretSource = { kind: 'md5', hash: 'two' }
const ASKED: SecretSource = { kind: 'authQuery' }

const ROWS: readonly {
  readonly name: string
  readonly method: AuthMethod
  readonly before: SecretSource | undefined
  readonly now: SecretSource | undefined
  readonly isChanged: boolean
}[] = [
  { name: 'the same', method: 'md5', before: ONE, now: SAME, isChanged: false },
  { name: 'another', method: 'md5', before: ONE, now: TWO, isChanged: true },
  { name: 'another one', method: 'password', before: ONE, now: TWO, isChanged: true },
  { name: 'another kind', method: 'scram-sha-256', before: ONE, now: ASKED, isChanged: true },
  { name: 'none any more', method: 'scram-sha-256', before: ONE, now: undefined, isChanged: true },
  { name: 'one that a server told', method: 'md5', before: ASKED, now: TWO, isChanged: false },
  { name: 'nothing was proven', method: 'trust', before: ONE, now: TWO, isChanged: false },
  { name: 'a certificate was', method: 'cert', before: ONE, now: TWO, isChanged: false },
]

for (const { name, method, before, now, isChanged } of ROWS) {
  t.test(`${method}: ${name}`, async (t) => {
    t.equal(isPasswordChanged({ method, secret: before }, now), isChanged)
  })
}
