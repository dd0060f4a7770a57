import t from 'tap'
import { isLoopbackAddress } from '../../src/server/open/loopback.ts'

const ROWS = [
  { address: '127.0.0.1', expects: true },
  { address: '127.255.0.9', expects: true },
  { address: '::1', expects: true },
  { address: '::ffff:127.0.0.1', expects: true },
  { address: '128.0.0.1', expects: false },
  { address: '10.0.0.1', expects: false },
  { address: '::', expects: false },
  { address: '::ffff:10.0.0.1', expects: false },
  { address: 'fe80::1%eth0', expects: false },
  { address: 'localhost', expects: false },
  { address: '', expects: false },
]

for (const { address, expects } of ROWS) {
  t.test(`"${address}" is ${expects ? 'a' : 'no'} loopback address`, async (t) => {
    t.equal(isLoopbackAddress(address), expects)
  })
}
