import t from 'tap'
import { readDnsNames } from '../../src/session/login/certificate-names.ts'

const TEXTS: readonly [text: string | undefined, names: readonly string[]][] = [
  [undefined, []],
  ['', []],
  ['DNS:acme.example.com', ['acme.example.com']],
  ['DNS:A.example.com, DNS:b', ['a.example.com', 'b']],
  ['IP Address:10.0.0.1, DNS:a, email:x@y, URI:http://z/', ['a']],
  ['DNS:*.example.com', ['*.example.com']],
  ['DNS:"a, DNS:evil", DNS:b', ['b']],
  ['DNS:"a\\", DNS:evil", DNS:b', ['b']],
  ['URI:"http://x, DNS:evil"', []],
  ['othername:<unsupported>, DNS:b', ['b']],
  ['DNS:a, DNS:"never closed, DNS:evil', ['a']],
  ['no name at all', []],
]
for (const [text, names] of TEXTS) {
  t.test(`${text}`, async (t) => t.strictSame(readDnsNames(text), names))
}
