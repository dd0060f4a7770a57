import t from 'tap'
import { EffectsWatch } from '../../src/relay/effects-watch.ts'
import { scanStatements } from '../../src/sql/scan/statement-scan.ts'
import { restoreQuery } from '../../src/tenancy/link.ts'
import { parameterStatus } from '../../src/wire/backend-messages.ts'
import { linkOf } from '../pool/pool-fixture.ts'
import { freshServer } from './relay-fixture.ts'

const LINK = linkOf('acme', { jit: 'off', geqo: 'off' })
const REFUSAL = Buffer.from('no')

function effectsOf(text: string) {
  const bytes = Buffer.from(text)
  const dialect = { backslashEscapes: false, hasUnsafeBytes: false }
  return scanStatements({ bytes, start: 0, end: bytes.length }, dialect)
}

const watching = () => new EffectsWatch({ link: LINK, refusal: () => undefined }, undefined)

t.test('what was reset is restored, each once', async (t) => {
  const rows = [
    { texts: ['select 1'], restores: undefined },
    { texts: ['set jit = on'], restores: undefined },
    { texts: ['reset work_mem'], restores: undefined },
    { texts: ['reset jit'], restores: ['jit'] },
    { texts: ['RESET JIT', 'set geqo = default'], restores: ['jit', 'geqo'] },
    { texts: ['reset jit', 'reset all', 'reset geqo'], restores: 'all' },
    { texts: ['discard all'], restores: 'all' },
  ] as const
  for (const { texts, restores } of rows) {
    const watch = watching()
    for (const text of texts) watch.note(effectsOf(text))
    const expected = restores === undefined ? undefined : restoreQuery(LINK, restores)
    t.equal(watch.takeRestore(), expected, texts.join('; '))
    t.equal(watch.takeRestore(), undefined)
  }
})

t.test('a copy is looked for behind a reset alone', async (t) => {
  const watch = watching()
  watch.noteBound(Buffer.from('copy t from stdin'))
  t.equal(watch.takeMayCopy(), false)
  watch.note(effectsOf('reset jit'))
  watch.noteBound(Buffer.from('select 1'))
  t.equal(watch.takeMayCopy(), false)
  watch.noteBound(Buffer.from('Copy t from stdin'))
  t.equal(watch.takeMayCopy(), true)
  t.equal(watch.takeMayCopy(), false)
})

t.test('gathers the turn', async (t) => {
  const watch = watching()
  t.equal(watch.takeTurn(), undefined)
  watch.note(effectsOf('listen a; set jit = on'))
  watch.note(effectsOf('unlisten *; execute p; select set_config($1, $2, false)'))
  watch.note(undefined)
  const turn = watch.takeTurn()
  t.strictSame([...(turn?.makes ?? [])].sort(), ['listen', 'set'])
  t.strictSame([...(turn?.undoes ?? [])], ['listen'])
  t.strictSame([...(turn?.settings ?? [])], ['jit'])
  t.match(turn, {
    mayTouchAnySetting: true,
    hasExecutes: true,
    resetsAll: false,
    isUnscanned: false,
  })
  t.equal(watch.takeTurn(), undefined)
  watch.noteUnscanned()
  t.match(watch.takeTurn(), { isUnscanned: true, hasExecutes: false })
  watch.note(effectsOf('discard all'))
  t.match(watch.takeTurn(), { resetsAll: true, isUnscanned: false })
})

t.test('text is read as the server of the moment reads it', async (t) => {
  const watch = watching()
  const { server, connection } = freshServer()
  t.strictSame(watch.dialect(connection), { backslashEscapes: false, hasUnsafeBytes: false })
  server.say(parameterStatus('standard_conforming_strings', 'off'))
  t.strictSame(watch.dialect(connection), { backslashEscapes: true, hasUnsafeBytes: false })
  for (const encoding of ['SJIS', 'BIG5', 'GBK', 'UHC', 'GB18030', 'JOHAB', 'SHIFT_JIS_2004']) {
    server.say(parameterStatus('client_encoding', encoding))
    t.equal(watch.dialect(connection).hasUnsafeBytes, true, encoding)
  }
  server.say(parameterStatus('client_encoding', 'EUC_JP'))
  t.equal(watch.dialect(connection).hasUnsafeBytes, false)
  const other = freshServer()
  t.equal(watch.dialect(other.connection).backslashEscapes, false)
  const escaped = Buffer.from("select 'a\\'; listen a; --'")
  const text = { bytes: escaped, start: 0, end: escaped.length }
  t.equal(watch.scan(text, connection), undefined)
  t.equal(watch.scan(text, other.connection)?.makes.has('listen'), true)
})

t.test('asks whether a statement may run, if it does anything', async (t) => {
  const watch = new EffectsWatch({ link: LINK, refusal: () => REFUSAL }, undefined)
  t.equal(watch.refusal(undefined), undefined)
  t.equal(watch.refusal(effectsOf('listen a')), REFUSAL)
})

t.test('asks the guard first', async (t) => {
  const guarded = Buffer.from('never')
  const policy = { link: LINK, refusal: () => REFUSAL }
  const watch = new EffectsWatch(policy, ({ makes }) => (makes.has('set') ? guarded : undefined))
  t.equal(watch.refusal(effectsOf('set a = 1')), guarded)
  t.equal(watch.refusal(effectsOf('listen a')), REFUSAL)
})

t.test('what ends with its transaction is nothing to be noted', async (t) => {
  const watch = watching()
  watch.note(effectsOf('set local a = 1'))
  t.equal(watch.takeTurn(), undefined)
})
