import t from 'tap'
import { parseServerUrl } from '../../src/catalog/documents/server-url.ts'
import type { ServerTarget } from '../../src/catalog/route.ts'

const NO_PASSWORD = { password: undefined }
const GOOD = [
  {
    url: 'postgresql://u:p@h:6000/d',
    target: { user: 'u', password: 'p', host: 'h', port: 6000, database: 'd' },
  },
  {
    url: 'postgres://u@h/d',
    target: { user: 'u', ...NO_PASSWORD, host: 'h', port: 5432, database: 'd' },
  },
  {
    url: 'postgresql://u:@h/d',
    target: { user: 'u', ...NO_PASSWORD, host: 'h', port: 5432, database: 'd' },
  },
  {
    url: 'postgresql://a%40b:p%2F:%25@h/d%20e',
    target: { user: 'a@b', password: 'p/:%', host: 'h', port: 5432, database: 'd e' },
  },
  {
    url: 'postgresql://u@[::1]:7/d',
    target: { user: 'u', ...NO_PASSWORD, host: '::1', port: 7, database: 'd' },
  },
  {
    url: 'postgresql://u@/d?host=/run/pg',
    target: { user: 'u', ...NO_PASSWORD, host: '/run/pg', port: 5432, database: 'd' },
  },
  {
    url: 'postgresql://u@%2Frun%2Fpg/d?port=8',
    target: { user: 'u', ...NO_PASSWORD, host: '/run/pg', port: 8, database: 'd' },
  },
  {
    url: 'postgresql://u:a+b@h/d?sslmode=prefer',
    target: { user: 'u', password: 'a+b', host: 'h', port: 5432, database: 'd' },
  },
  {
    url: 'postgresql://u@h/d?sslmode=disable&host=i',
    target: { user: 'u', ...NO_PASSWORD, host: 'i', port: 5432, database: 'd' },
  },
]
for (const { url, target } of GOOD) {
  t.test(`reads ${url}`, async (t) => {
    const { tls, ...rest } = targetOf(url)
    t.strictSame(rest, target)
    t.equal(tls === undefined, /^\/|disable/.test(`${target.host} ${url}`))
  })
}

const BAD = [
  '',
  'mysql://u@h/d',
  'host=h user=u',
  'postgresql://h/d',
  'postgresql://u@/d',
  'postgresql://u@h',
  'postgresql://u@h/',
  'postgresql://u@h:0/d',
  'postgresql://u@h:65536/d',
  'postgresql://u@h:x/d',
  'postgresql://u:p@x@h/d',
  'postgresql://u:%zz@h/d',
  'postgresql://u:%00@h/d',
  'postgresql://u@h,i/d',
  'postgresql://u@h/d?sslmode=on',
  'postgresql://u@h/d?sslmod=disable',
  'postgresql://u@h/d?options=-csearch_path',
  'postgresql://u@h/d#x',
  'postgresql://u@h/d?host=%zz',
  'postgresql://u@h/d?sslrootcert=/%00',
]
for (const url of BAD) {
  t.test(`refuses '${url}'`, async (t) => t.equal(parseServerUrl(url).kind, 'problem'))
}

function targetOf(url: string): ServerTarget {
  const result = parseServerUrl(url)
  if (result.kind === 'problem') throw new Error(result.finding.message)
  return result.target
}
