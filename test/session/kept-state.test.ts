import t from 'tap'
import { KeptState } from '../../src/session/kept-state.ts'
import { linkOf } from '../pool/pool-fixture.ts'
import {
  carriedBy,
  effectsOf,
  factsOf,
  policyOf,
  spelled,
  turn,
  UNCHANGED,
  unscanned,
} from './kept-fixture.ts'

const ALL_KINDS = ['advisoryLock', 'hold', 'listen', 'prepare', 'temp']
const CUSTOM_PLACE = ['app.tenant_id', 'role', 'session_authorization']

const QUESTIONS = [
  { text: 'select 1', wanted: undefined },
  { text: 'set timezone = utc', wanted: undefined },
  { text: 'begin; commit', wanted: undefined },
  { text: 'unlisten *', wanted: undefined },
  { text: 'listen a', wanted: { kinds: ['listen'], settings: [], customSettings: [] } },
  {
    text: 'prepare p as select 1',
    wanted: { kinds: ['prepare'], settings: [], customSettings: [] },
  },
  { text: 'create temp table t ()', wanted: { kinds: ['temp'], settings: [], customSettings: [] } },
  {
    text: 'declare c cursor with hold for select 1',
    wanted: { kinds: ['hold'], settings: [], customSettings: [] },
  },
  {
    text: 'select pg_advisory_lock(1)',
    wanted: { kinds: ['advisoryLock'], settings: [], customSettings: [] },
  },
  { text: 'SET Work_Mem = 1', wanted: { kinds: [], settings: ['work_mem'], customSettings: [] } },
  {
    text: 'set app.user = 1',
    wanted: { kinds: [], settings: ['app.user'], customSettings: ['app.user'] },
  },
  { text: 'set role a', wanted: { kinds: [], settings: ['role'], customSettings: ['role'] } },
  {
    text: 'do $$ begin end $$',
    wanted: { kinds: ALL_KINDS, settings: 'all', customSettings: CUSTOM_PLACE },
  },
  {
    text: 'select set_config($1, $2, false)',
    wanted: { kinds: [], settings: 'all', customSettings: CUSTOM_PLACE },
  },
] as const

for (const { text, wanted } of QUESTIONS) {
  t.test(`asked behind ${text}`, async (t) => {
    t.strictSame(spelled(new KeptState(policyOf()).afterTurn(effectsOf(text), UNCHANGED)), wanted)
  })
}

t.test('everything is asked behind a text that was not looked at', async (t) => {
  const wanted = new KeptState(policyOf()).afterTurn(unscanned(), UNCHANGED)
  t.strictSame(spelled(wanted), { kinds: ALL_KINDS, settings: 'all', customSettings: CUSTOM_PLACE })
})

t.test('each kind pins until the server has nothing of it', async (t) => {
  const rows = [
    { makes: 'listen a', undoes: 'unlisten *', kind: 'listen' },
    { makes: 'prepare p as select 1', undoes: 'deallocate p', kind: 'prepare' },
    { makes: 'create temp table t ()', undoes: 'drop table t', kind: 'temp' },
    { makes: 'declare c cursor with hold for select 1', undoes: 'close c', kind: 'hold' },
    {
      makes: 'select pg_advisory_lock(1)',
      undoes: 'select pg_advisory_unlock(1)',
      kind: 'advisoryLock',
    },
  ] as const
  for (const { makes, undoes, kind } of rows) {
    const kept = new KeptState(policyOf())
    t.strictSame(turn(kept, effectsOf(makes), factsOf([kind])), [kind])
    t.equal(kept.isPinned, true)
    t.strictSame(turn(kept, effectsOf(makes), factsOf([kind])), [], 'told once')
    t.strictSame(turn(kept, effectsOf(undoes), factsOf([kind])), [])
    t.equal(kept.isPinned, true, 'another is left')
    turn(kept, effectsOf(undoes), factsOf())
    t.equal(kept.isPinned, false)
    turn(kept, effectsOf(makes), factsOf())
    t.equal(kept.isPinned, false, 'rolled back')
  }
})

t.test('a pin of one kind says nothing of another', async (t) => {
  const kept = new KeptState(policyOf())
  turn(kept, effectsOf('listen a'), factsOf(['listen']))
  t.strictSame(turn(kept, effectsOf('prepare p as select 1'), factsOf(['prepare'])), ['prepare'])
  turn(kept, effectsOf('deallocate p'), factsOf())
  t.equal(kept.isPinned, true)
  turn(kept, effectsOf('discard all'), factsOf())
  t.equal(kept.isPinned, false)
})

t.test('a reported setting is carried without a question', async (t) => {
  const kept = new KeptState(policyOf())
  const wanted = kept.afterTurn(effectsOf('set timezone = x'), new Map([['TimeZone', 'PST8PDT']]))
  t.equal(wanted, undefined)
  t.strictSame(carriedBy(kept), { timezone: 'PST8PDT' })
  t.not(kept.link.key, linkOf('acme').key)
  t.equal(kept.link.tenantKey, linkOf('acme').tenantKey)
  kept.afterTurn(effectsOf('reset timezone'), new Map([['TimeZone', 'UTC']]))
  t.strictSame(carriedBy(kept), {})
  t.equal(kept.link.key, linkOf('acme').key)
})

t.test("a report that no text explains may be the server's own", async (t) => {
  const kept = new KeptState(policyOf())
  for (const [facts, carried] of [
    [factsOf(), {}],
    [factsOf([], { timezone: 'PST8PDT' }), { timezone: 'PST8PDT' }],
  ] as const) {
    const wanted = kept.afterTurn(undefined, new Map([['TimeZone', 'PST8PDT']]))
    t.strictSame(spelled(wanted), { kinds: [], settings: ['timezone'], customSettings: [] })
    if (wanted !== undefined) kept.told(wanted, facts)
    t.strictSame(carriedBy(kept), carried)
  }
})

t.test('what is reported but not for a client to set is not carried', async (t) => {
  const kept = new KeptState(policyOf())
  kept.afterTurn(undefined, new Map([['in_hot_standby', 'on']]))
  t.strictSame(carriedBy(kept), {})
})

t.test('a listed setting is carried as the server has it', async (t) => {
  const kept = new KeptState(policyOf())
  t.strictSame(turn(kept, effectsOf("set work_mem = '1MB'"), factsOf([], { work_mem: '1024' })), [])
  t.strictSame(carriedBy(kept), { work_mem: '1024' })
  turn(kept, effectsOf('set work_mem = 2'), factsOf([], { work_mem: '2' }))
  t.strictSame(carriedBy(kept), { work_mem: '2' })
  turn(kept, effectsOf('reset work_mem'), factsOf())
  t.strictSame(carriedBy(kept), {})
  t.equal(kept.isPinned, false)
})

t.test('any other setting pins until it is reset', async (t) => {
  const kept = new KeptState(policyOf())
  const set = effectsOf('set jit = off')
  t.strictSame(turn(kept, set, factsOf([], { jit: 'off' })), ['set'])
  turn(kept, effectsOf('set geqo = off'), factsOf([], { geqo: 'off' }))
  turn(kept, effectsOf('reset jit'), factsOf())
  t.equal(kept.isPinned, true)
  turn(kept, effectsOf('reset geqo'), factsOf())
  t.equal(kept.isPinned, false)
})

t.test('RESET ALL takes back what is pinned and what is carried', async (t) => {
  const kept = new KeptState(policyOf())
  turn(kept, effectsOf('set jit = off'), factsOf([], { jit: 'off' }))
  turn(kept, effectsOf('set app.user = 1'), factsOf([], { 'app.user': '1' }))
  const wanted = kept.afterTurn(effectsOf('reset all'), UNCHANGED)
  t.equal(wanted?.settings, 'all')
  if (wanted !== undefined) kept.told(wanted, factsOf())
  t.equal(kept.isPinned, false)
  t.strictSame(carriedBy(kept), {})
})

t.test('RESET ALL with nothing to take back asks nothing', async (t) => {
  t.equal(new KeptState(policyOf()).afterTurn(effectsOf('reset all'), UNCHANGED), undefined)
})

t.test('bytes that are carried are bounded', async (t) => {
  const value = 'x'.repeat(20)
  const kept = new KeptState(policyOf({ maxCarriedBytes: 'work_mem'.length + 20 }))
  turn(kept, effectsOf('set work_mem = 1'), factsOf([], { work_mem: value }))
  t.equal(kept.isPinned, false)
  turn(kept, effectsOf('set work_mem = 2'), factsOf([], { work_mem: value.toUpperCase() }))
  t.equal(kept.isPinned, false, 'in place of itself')
  t.strictSame(turn(kept, effectsOf('set app.user = 1'), factsOf([], { 'app.user': '1' })), ['set'])
  t.strictSame(carriedBy(kept), { work_mem: value.toUpperCase() })
  turn(kept, effectsOf('reset work_mem'), factsOf())
  turn(kept, effectsOf('set app.user = 2'), factsOf([], { 'app.user': '2' }))
  t.equal(kept.isPinned, false, 'there is room again')
  turn(kept, effectsOf('set app.user = 3'), factsOf([], { 'app.user': 'é'.repeat(11) }))
  t.equal(kept.isPinned, true, 'bytes, not characters')
})

t.test('a value that was not in UTF-8 pins', async (t) => {
  const kept = new KeptState(policyOf())
  t.strictSame(turn(kept, effectsOf('set app.user = 1'), factsOf([], { 'app.user': '\uFFFD' })), [
    'set',
  ])
})

t.test('what the server could not say pins until it can', async (t) => {
  const kept = new KeptState(policyOf())
  t.strictSame(turn(kept, effectsOf('listen a'), undefined), ['unknown'])
  const wanted = kept.afterTurn(effectsOf('unlisten *'), UNCHANGED)
  t.strictSame(spelled(wanted), { kinds: ALL_KINDS, settings: 'all', customSettings: CUSTOM_PLACE })
  if (wanted !== undefined) kept.told(wanted, factsOf())
  t.equal(kept.isPinned, false)
})

t.test('nothing undoes a library, nor the state behind random()', async (t) => {
  for (const [text, reason] of [
    ["load 'auto_explain'", 'load'],
    ['set seed = 0.5', 'set'],
    ['select setseed(0.5)', 'set'],
  ] as const) {
    const kept = new KeptState(policyOf())
    kept.afterTurn(effectsOf(text), UNCHANGED)
    t.equal(kept.isPinned, true, reason)
    t.equal(kept.isIndelible, true)
    turn(kept, effectsOf('discard all'), factsOf())
    t.equal(kept.isPinned, true)
    t.equal(kept.isIndelible, true)
  }
  t.equal(new KeptState(policyOf()).isIndelible, false)
})

t.test('a name that depends on the encoding is not asked for', async (t) => {
  const kept = new KeptState(policyOf())
  t.equal(kept.afterTurn(effectsOf('set app."né" = 1'), UNCHANGED), undefined)
  t.equal(kept.isPinned, true)
})

t.test('EXECUTE is asked about when what was prepared does more', async (t) => {
  const plain = new KeptState(policyOf())
  turn(plain, effectsOf('prepare p as select 1'), factsOf(['prepare']))
  t.equal(plain.afterTurn(effectsOf('execute p'), UNCHANGED), undefined)
  const makers = [
    effectsOf('prepare p as select pg_advisory_lock(1)'),
    effectsOf("prepare p as select set_config('jit', 'off', false)"),
    effectsOf('prepare p as select set_config($1, $2, false)'),
    effectsOf('do $$ begin execute $b$ prepare p as select pg_advisory_lock(1) $b$; end $$'),
    unscanned(),
  ]
  for (const effects of makers) {
    const kept = new KeptState(policyOf())
    turn(kept, effects, factsOf(['prepare']))
    t.equal(kept.afterTurn(effectsOf('execute p'), UNCHANGED)?.settings, 'all')
  }
})

t.test('a carried setting outlives code that leaves it alone', async (t) => {
  const kept = new KeptState(policyOf())
  turn(kept, effectsOf('set app.user = 1'), factsOf([], { 'app.user': '1' }))
  const wanted = kept.afterTurn(effectsOf('do $$ begin end $$'), UNCHANGED)
  t.equal(wanted?.customSettings.includes('app.user'), true)
  if (wanted !== undefined) kept.told(wanted, factsOf([], { 'app.user': '1' }))
  t.strictSame(carriedBy(kept), { 'app.user': '1' })
})

t.test('pins that are given up', async (t) => {
  const kept = new KeptState(policyOf())
  turn(kept, effectsOf('listen a; set jit = off'), factsOf(['listen'], { jit: 'off' }))
  kept.unpin()
  t.equal(kept.isPinned, false)
  t.strictSame(kept.takeNewPins(), [])
  t.strictSame(turn(kept, effectsOf('listen a'), factsOf(['listen'])), ['listen'])
})
