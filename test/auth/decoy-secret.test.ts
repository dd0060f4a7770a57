import t from 'tap'
import { decoyMd5Hash, decoyVerifier } from '../../src/auth/decoy-secret.ts'

const KEY = Buffer.alloc(32, 1)

t.test('the same login gets the same decoy each time', async (t) => {
  t.strictSame(decoyVerifier('ann'), decoyVerifier('ann'))
  t.equal(decoyMd5Hash('ann'), decoyMd5Hash('ann'))
})

t.test('logins and keys make different decoys', async (t) => {
  t.notSame(decoyVerifier('ann').salt, decoyVerifier('bob').salt)
  t.notSame(decoyVerifier('ann').salt, decoyVerifier('ann', KEY).salt)
  t.not(decoyMd5Hash('ann'), decoyMd5Hash('bob'))
  t.not(decoyMd5Hash('ann'), decoyMd5Hash('ann', KEY))
})

t.test('a decoy has the shape of what Postgres stores', async (t) => {
  const { iterations, salt, storedKey, serverKey } = decoyVerifier('ann')
  t.equal(iterations, 4096)
  t.strictSame([salt.length, storedKey.length, serverKey.length], [16, 32, 32])
  t.match(decoyMd5Hash('ann'), /^[0-9a-f]{32}$/)
})

t.test('what the client sees of a decoy tells nothing of its keys', async (t) => {
  const { salt, storedKey, serverKey } = decoyVerifier('ann')
  t.notSame(salt, storedKey.subarray(0, 16))
  t.notSame(salt, serverKey.subarray(0, 16))
  t.notSame(storedKey, serverKey)
})
