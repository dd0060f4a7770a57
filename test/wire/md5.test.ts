import t from 'tap'
import { md5Hash, md5Response } from '../../src/wire/md5.ts'
import { bytes } from './bytes.ts'

t.test('hashes password and user as Postgres does', async (t) => {
  // Read from pg_authid of Postgres 15, without the `md5` prefix.
  t.equal(md5Hash('secret', 'app'), '6a422f785c9e20873908ce25d1736ae2')
  t.equal(md5Hash('', ''), 'd41d8cd98f00b204e9800998ecf8427e')
})

t.test('answers a salt', async (t) => {
  t.equal(
    md5Response('d41d8cd98f00b204e9800998ecf8427e', bytes('01020304')),
    'md5ada29999d4c1ee52a9d35ac6fe6129e8',
  )
})
