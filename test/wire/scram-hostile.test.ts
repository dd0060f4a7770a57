import fc from 'fast-check'
import t from 'tap'
import { deriveVerifier } from '../../src/wire/scram/scram.ts'
import { MAX_SERVER_ITERATIONS, ScramClient } from '../../src/wire/scram/scram-client.ts'
import { ScramServer } from '../../src/wire/scram/scram-server.ts'
import { ProtocolViolationError } from '../../src/wire/wire-errors.ts'
import { survives } from './bytes.ts'

const VIOLATION = { code: 'PROTOCOL_VIOLATION' }
const VERIFIER = deriveVerifier('pencil', { salt: Buffer.from('salt'), iterations: 1 })
const SECRET = { kind: 'password', password: 'pencil' } as const
const PLUS = { channelBinding: Buffer.alloc(32), isPlus: true }
const PROOF = Buffer.alloc(32, 7).toString('base64')

function openServer(gs2Header = 'n,,'): ScramServer {
  const server = new ScramServer(VERIFIER, { serverNonce: 'theirs' })
  server.start(Buffer.from(`${gs2Header}n=,r=ours`))
  return server
}

for (const text of [
  '',
  'n',
  'n,,',
  'n,,n=',
  'n,,r=x',
  'n,,n=,r=',
  'n,,n=,r=a b',
  'n,,n=,r=ä',
  'n,,n=,r=x,',
  'n,,n=,r=x,y',
  'n,,m=x,n=,r=x',
  'n,,r=x,n=',
  'n,a=root,n=,r=x',
  'y,a=root,n=,r=x',
  'p=tls-server-end-point,,n=,r=x',
  'p=tls-unique,,n=,r=x',
  'N,,n=,r=x',
  'x,,n=,r=x',
  'n=,r=x',
  'n,,n=\0,r=x',
]) {
  t.test(`server refuses to start with [${text}]`, async (t) => {
    t.throws(() => new ScramServer(VERIFIER).start(Buffer.from(text)), VIOLATION)
  })
}

t.test('server refuses text that is not UTF-8', async (t) => {
  const text = Buffer.from('n,,n=?,r=x')
  text[5] = 0xff
  t.throws(() => new ScramServer(VERIFIER).start(text), VIOLATION)
})

t.test('server ignores the user name, and extensions after the nonce', async (t) => {
  const answer = new ScramServer(VERIFIER, { serverNonce: 'b' }).start(
    Buffer.from('y,,n=root=2C=3D,r=a,x=1'),
  )
  t.match(String(answer), /^r=ab,s=/)
})

for (const text of [
  '',
  'c=biws',
  `c=biws,p=${PROOF}`,
  'c=biws,r=ourstheirs',
  'c=biws,r=ourstheirs,p=',
  'c=biws,r=ourstheirs,p=AAAA',
  `c=biws,r=ourstheirs,p=${PROOF}AAAA`,
  `c=biws,r=ourstheirs,p=${PROOF.slice(0, -1)}`,
  `c=biws,r=ourstheirs,p=${PROOF},x=1`,
  `c=biws,r=ours,p=${PROOF}`,
  `c=biws,r=ourstheirss,p=${PROOF}`,
  `c=biws,r=,p=${PROOF}`,
  `c=eSws,r=ourstheirs,p=${PROOF}`,
  `c=,r=ourstheirs,p=${PROOF}`,
  `c=****,r=ourstheirs,p=${PROOF}`,
  `r=ourstheirs,c=biws,p=${PROOF}`,
  `c=biws,r=ourstheirs,,p=${PROOF}`,
]) {
  t.test(`server refuses to finish with [${text}]`, async (t) => {
    t.throws(() => openServer().finish(Buffer.from(text)), VIOLATION)
  })
}

t.test('a wrong proof is no violation', async (t) => {
  const finish = (text: string, header?: string) => openServer(header).finish(Buffer.from(text))
  t.equal(finish(`c=biws,r=ourstheirs,p=${PROOF}`), undefined)
  t.equal(finish(`c=biws,r=ourstheirs,x=1,p=${PROOF}`), undefined)
  t.equal(finish(`c=eSws,r=ourstheirs,p=${PROOF}`, 'y,,'), undefined)
})

for (const text of [
  '',
  'r=ours',
  'r=ours,s=AAAA,i=1',
  'r=theirs,s=AAAA,i=1',
  'r=our,s=AAAA,i=1',
  'r=oursx,s=,i=1',
  'r=oursx,s=A,i=1',
  'r=oursx,s=AAAA',
  'r=oursx,s=AAAA,i=',
  'r=oursx,s=AAAA,i=0',
  'r=oursx,s=AAAA,i=-1',
  'r=oursx,s=AAAA,i=1e3',
  'r=oursx,s=AAAA,i=0x10',
  'r=oursx,s=AAAA,i=01',
  `r=oursx,s=AAAA,i=${MAX_SERVER_ITERATIONS + 1}`,
  'r=oursx,s=AAAA,i=99999999999999999999',
  'r=ours x,s=AAAA,i=1',
  'm=1,r=oursx,s=AAAA,i=1',
  's=AAAA,r=oursx,i=1',
  'e=other-error',
]) {
  t.test(`client refuses to proceed with [${text}]`, async (t) => {
    const client = new ScramClient(SECRET, { clientNonce: 'ours' })
    await t.rejects(client.proceed(Buffer.from(text)), VIOLATION)
  })
}

for (const text of [
  '',
  'v=',
  'v=AAAA',
  `v=${PROOF}`,
  'e=invalid-proof',
  `x=${PROOF}`,
  `${PROOF}`,
]) {
  t.test(`client refuses to finish with [${text}]`, async (t) => {
    const client = new ScramClient(SECRET, { clientNonce: 'ours' })
    await client.proceed(Buffer.from('r=oursx,s=AAAA,i=1'))
    t.throws(() => client.finish(Buffer.from(text)), VIOLATION)
  })
}

t.test('client trusts no server that skipped the proof', async (t) => {
  t.throws(() => new ScramClient(SECRET).finish(Buffer.from(`v=${PROOF}`)), VIOLATION)
})

const parts = [
  'n',
  'y',
  'p=',
  'p=tls-server-end-point',
  'c=biws',
  'r=ours',
  'r=ourstheirs',
  's=AAAA',
  'i=1',
  'n=',
  'v=',
  '=',
  '',
]
const scramLike = fc
  .array(fc.oneof(fc.constantFrom(...parts, `p=${PROOF}`), fc.string()), { maxLength: 6 })
  .map((words) => Buffer.from(words.join(',')))
const hostile = fc.oneof(
  scramLike,
  fc.uint8Array().map((body) => Buffer.from(body)),
)

t.test('random messages cause nothing but a violation, and never let anyone in', async (t) => {
  await fc.assert(
    fc.asyncProperty(hostile, async (text) => {
      survives(() => new ScramServer(VERIFIER).start(text))
      survives(() => new ScramServer(VERIFIER, PLUS).start(text))
      survives(() => t.equal(openServer().finish(text), undefined))
      const client = new ScramClient(SECRET, { clientNonce: 'ours' })
      await client.proceed(text).catch((error) => t.type(error, ProtocolViolationError))
      t.throws(() => client.finish(text), VIOLATION)
    }),
    { numRuns: 300 },
  )
})
