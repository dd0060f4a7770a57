import t from 'tap'
import { CancelKeys } from '../../src/cancel/cancel-keys.ts'

const target = () => ({ cancel: async () => {} })

t.test('finds whom a key was issued to, and nobody else', async (t) => {
  const keys = new CancelKeys()
  const [one, other] = [target(), target()]
  const [mine, theirs] = [keys.issue(one), keys.issue(other)]
  t.equal(keys.find(mine), one)
  t.equal(keys.find(theirs), other)
  t.equal(keys.find({ ...mine, secretKey: Buffer.from(mine.secretKey) }), one)
  const { processId, secretKey } = mine
  const wrong = [
    { processId: theirs.processId, secretKey },
    { processId: processId + 1, secretKey },
    { processId: 0, secretKey },
    { processId, secretKey: Buffer.alloc(0) },
    { processId, secretKey: secretKey.subarray(0, 3) },
    { processId, secretKey: Buffer.concat([secretKey, Buffer.alloc(1)]) },
    ...[0, 1, 2, 3].map((at) => {
      const flipped = Buffer.from(secretKey)
      flipped[at] = (flipped[at] ?? 0) ^ 1
      return { processId, secretKey: flipped }
    }),
  ]
  for (const key of wrong) t.equal(keys.find(key), undefined)
})

t.test('an old key does nothing', async (t) => {
  const keys = new CancelKeys()
  const key = keys.issue(target())
  t.equal(keys.count, 1)
  keys.revoke(key.processId)
  keys.revoke(key.processId)
  t.equal(keys.find(key), undefined)
  t.equal(keys.count, 0)
})

t.test('keys are positive, fit protocol 3.0 and are all different', async (t) => {
  const keys = new CancelKeys()
  const issued = Array.from({ length: 5_000 }, () => keys.issue(target()))
  t.equal(new Set(issued.map(({ processId }) => processId)).size, 5_000)
  t.ok(issued.every(({ processId }) => processId > 0 && processId <= 0x7fff_ffff))
  t.ok(issued.every(({ secretKey }) => secretKey.length === 4))
  t.ok(new Set(issued.map(({ secretKey }) => secretKey.toString('hex'))).size > 4_990)
})
