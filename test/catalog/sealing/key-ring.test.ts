import { randomBytes } from 'node:crypto'
import { inspect } from 'node:util'
import fc from 'fast-check'
import t from 'tap'
import { KeyRing, keyIdOf, type SealContext } from '../../../src/catalog/sealing/key-ring.ts'
import { EnvelopeRefusedError } from '../../../src/catalog/sealing/sealing-errors.ts'

const FIRST = { id: 'k1', key: 'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=' }
const SECOND = { id: 'k2', key: randomBytes(32).toString('base64') }
const HERE: SealContext = { kind: 'tenant', name: 'acme', place: 'databaseUrl', version: 7 }

/** Made with AESGCM of Python's `cryptography`, and json.dumps without spaces and escapes. */
const KNOWN = [
  {
    envelope: 'v1:k1:oKGio6Slpqeoqaqr:8X6Qel38O5tvZlnyEAAMDg:lSsfX3a_Lc8iFvQ',
    context: HERE,
    secret: 's3cr3t/p@ss',
  },
  {
    envelope: 'v1:k1:oKGio6Slpqeoqaqr:lhx7LPWrHImYNmM9Jl3raA:ltvYXjbr8iD29A',
    context: { kind: 'server', name: 'grün "1"', place: "users.o'neil\\", version: 1 },
    secret: 'päss 🔑',
  },
] as const

const texts = fc.string({ unit: 'binary', minLength: 1, maxLength: 200 })
const contexts: fc.Arbitrary<SealContext> = fc.record({
  kind: fc.constantFrom('tenant' as const, 'server' as const),
  name: texts,
  place: texts,
  version: fc.nat(),
})

function faultOf(open: () => string): string {
  try {
    return `opened as ${open()}`
  } catch (error) {
    if (error instanceof EnvelopeRefusedError) return error.fault
    throw error
  }
}

for (const { envelope, context, secret } of KNOWN) {
  t.test(`opens what another program sealed for ${context.kind} ${context.name}`, async (t) => {
    t.equal(new KeyRing([FIRST]).open(envelope, context), secret)
  })
}

t.test('opens what it sealed, and shows the key that did', async (t) => {
  const ring = new KeyRing([FIRST, SECOND])
  fc.assert(
    fc.property(texts, contexts, (secret, context) => {
      const envelope = ring.seal(secret, context)
      t.equal(ring.open(envelope, context), secret)
      t.equal(keyIdOf(envelope), 'k1')
      t.match(envelope, /^v1:k1:[\w-]{16}:[\w-]{22}:[\w-]+$/)
    }),
  )
})

t.test('never seals twice alike', async (t) => {
  const ring = new KeyRing([FIRST])
  t.not(ring.seal('hush', HERE), ring.seal('hush', HERE))
})

t.test('refuses whatever was changed in one character or one bit', async (t) => {
  const ring = new KeyRing([FIRST])
  const envelope = ring.seal('a password', HERE)
  for (const [index, character] of [...envelope].entries()) {
    for (let bit = 0; bit < 7; bit += 1) {
      const other = String.fromCharCode(character.charCodeAt(0) ^ (1 << bit))
      const changed = envelope.slice(0, index) + other + envelope.slice(index + 1)
      t.match(
        faultOf(() => ring.open(changed, HERE)),
        /^(malformed|unknownKey|foreign)$/,
      )
    }
  }
})

t.test('refuses an envelope in any other place', async (t) => {
  const ring = new KeyRing([FIRST])
  fc.assert(
    fc.property(contexts, contexts, (context, other) => {
      fc.pre(JSON.stringify(context) !== JSON.stringify(other))
      t.equal(
        faultOf(() => ring.open(ring.seal('hush', context), other)),
        'foreign',
      )
    }),
  )
})

t.test('tells apart names and places that would read alike when put together', async (t) => {
  const ring = new KeyRing([FIRST])
  const envelope = ring.seal('hush', { ...HERE, name: 'a","b', place: 'c' })
  t.equal(
    faultOf(() => ring.open(envelope, { ...HERE, name: 'a', place: 'b","c' })),
    'foreign',
  )
})

t.test('opens with every key of the ring', async (t) => {
  const old = new KeyRing([FIRST]).seal('hush', HERE)
  t.equal(new KeyRing([SECOND, FIRST]).open(old, HERE), 'hush')
  t.equal(keyIdOf(new KeyRing([SECOND, FIRST]).seal('hush', HERE)), 'k2')
})

t.test('refuses a key that is not there, and another one of the same id', async (t) => {
  const envelope = new KeyRing([FIRST]).seal('hush', HERE)
  t.equal(
    faultOf(() => new KeyRing([SECOND]).open(envelope, HERE)),
    'unknownKey',
  )
  t.equal(
    faultOf(() => new KeyRing([{ ...SECOND, id: 'k1' }]).open(envelope, HERE)),
    'foreign',
  )
})

t.test('says what does not open, and not what is in it', async (t) => {
  const ring = new KeyRing([FIRST])
  const envelope = ring.seal('hush', HERE)
  t.throws(() => ring.open(envelope, { ...HERE, name: 'globex' }), {
    code: 'CATALOG_RECORD_REFUSED',
    message: /^tenant globex: .* databaseUrl .*7/,
  })
})

t.test('has a key of its own when none was given', async (t) => {
  const ring = new KeyRing([])
  const envelope = ring.seal('hush', HERE)
  t.equal(ring.open(envelope, HERE), 'hush')
  t.not(
    faultOf(() => new KeyRing([]).open(envelope, HERE)),
    'opened as hush',
  )
})

for (const text of ['', 'hush', 'v1', 'v2:k1:a:b:c', 'v1:k1:::', 'v1:k 1:a:b:c']) {
  t.test(`finds no envelope in '${text}'`, async (t) => {
    t.equal(keyIdOf(text), undefined)
    t.equal(
      faultOf(() => new KeyRing([FIRST]).open(text, HERE)),
      'malformed',
    )
  })
}

t.test('refuses keys that are no ring', async (t) => {
  t.throws(() => new KeyRing([FIRST, { ...SECOND, id: 'k1' }]), RangeError)
  t.throws(() => new KeyRing([{ id: 'k1', key: 'c2hvcnQ=' }]), RangeError)
  t.throws(() => new KeyRing([FIRST]).seal('', HERE), RangeError)
})

t.test('shows no key to whoever prints it', async (t) => {
  const shown = inspect(new KeyRing([FIRST]), { depth: null, showHidden: true })
  t.notMatch(shown, FIRST.key)
  t.notMatch(shown, '00 01 02 03')
})
