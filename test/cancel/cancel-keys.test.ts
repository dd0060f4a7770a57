import t from 'tap'
import { CancelKeys } from '../../src/cancel/cancel-keys.ts'

const target = () => ({ cancel: async () => {} })

for (const keyBytes of [4, 32] as const) {
  t.test(`${keyBytes} bytes: finds whom a key was issued to, and nobody else`, async (t) => {
    const keys = new CancelKeys()
    const [one, other] = [target(), target()]
    const mine = keys.issue(one, { keyBytes })
    const theirs = keys.issue(other, { keyBytes })
    t.equal(keys.find(mine), one)
    t.equal(keys.find(theirs), other)
    t.equal(keys.find({ ...mine, secretKey: Buffer.from(mine.secretKey) }), one)
    const { processId, secretKey } = mine
    t.equal(secretKey.length, keyBytes)
    const wrong = [
      { processId: theirs.processId, secretKey },
      { processId: processId + 1, secretKey },
      { processId: 0, secretKey },
      { processId, secretKey: theirs.secretKey },
      { processId, secretKey: Buffer.alloc(0) },
      { processId, secretKey: secretKey.subarray(0, 3) },
      { processId, secretKey: secretKey.subarray(0, -1) },
      { processId, secretKey: Buffer.concat([secretKey, Buffer.alloc(1)]) },
      ...[...secretKey.keys()].map((at) => {
        const flipped = Buffer.from(secretKey)
        flipped[at] = (flipped[at] ?? 0) ^ 1
        return { processId, secretKey: flipped }
      }),
    ]
    for (const key of wrong) t.equal(keys.find(key), undefined)
  })

  t.test(`${keyBytes} bytes: an old key does nothing`, async (t) => {
    const keys = new CancelKeys()
    const key = keys.issue(target(), { keyBytes })
    t.equal(keys.count, 1)
    keys.revoke(key.id)
    keys.revoke(key.id)
    t.equal(keys.find(key), undefined)
    t.equal(keys.count, 0)
  })
}

t.test('a long key does not pass for its first four bytes, nor a short one for more', async (t) => {
  const keys = new CancelKeys()
  const long = keys.issue(target(), { keyBytes: 32, processId: 7 })
  t.equal(keys.find({ processId: 7, secretKey: long.secretKey.subarray(0, 4) }), undefined)
  const short = keys.issue(target(), { keyBytes: 4, processId: 7 })
  const secretKey = Buffer.concat([short.secretKey, Buffer.alloc(28)])
  t.equal(keys.find({ processId: 7, secretKey }), undefined)
})

t.test('sessions of one process id are told apart by their secrets', async (t) => {
  const keys = new CancelKeys()
  const targets = Array.from({ length: 100 }, target)
  const issued = targets.map((one, index) =>
    keys.issue(one, { processId: 4711, keyBytes: index % 2 === 0 ? 4 : 32 }),
  )
  t.ok(issued.every(({ processId }) => processId === 4711))
  t.strictSame(
    issued.map((key) => targets.indexOf(keys.find(key) ?? target())),
    targets.map((_, index) => index),
  )
  keys.revoke(issued[0]?.id ?? 0)
  t.equal(keys.count, 99)
  t.equal(issued.filter((key) => keys.find(key) !== undefined).length, 99)
})

t.test('process ids are positive and fit protocol 3.0, secrets are all different', async (t) => {
  const keys = new CancelKeys()
  const issued = Array.from({ length: 5_000 }, () => keys.issue(target(), { keyBytes: 4 }))
  t.ok(issued.every(({ processId }) => processId > 0 && processId <= 0x7fff_ffff))
  t.ok(new Set(issued.map(({ processId }) => processId)).size > 4_900)
  t.equal(new Set(issued.map(({ secretKey }) => secretKey.toString('hex'))).size, 5_000)
})
