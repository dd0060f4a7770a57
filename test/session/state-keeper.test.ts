import t from 'tap'
import type { TurnEffects } from '../../src/relay/turn-effects.ts'
import type { SessionFacts } from '../../src/server/session-facts.ts'
import type { Admission } from '../../src/session/admission.ts'
import { StateKeeper } from '../../src/session/state-keeper.ts'
import { DEAF, linkOf } from '../pool/pool-fixture.ts'
import { FakeServer, linkReplies } from '../support/fake-server.ts'
import { admissionOf } from './admission-fixture.ts'
import { effectsOf, factsOf, UNCHANGED } from './kept-fixture.ts'

const NOTHING = { effects: undefined, changed: UNCHANGED }
const LISTENING = { effects: effectsOf('listen a'), changed: UNCHANGED }
const TOLD = [['TimeZone', 'PST8PDT']] as const

/** A client of acme on a connection that is linked to it. */
function kept(admission: Admission = admissionOf()) {
  const server = new FakeServer()
  const connection = server.connection()
  connection.attach(DEAF)
  connection.beginLink(linkOf('acme'))
  server.say(linkReplies())
  return { keeper: new StateKeeper(admission), connection }
}

function turn(
  { keeper, connection }: ReturnType<typeof kept>,
  effects: TurnEffects | undefined,
  facts: SessionFacts | undefined,
): readonly string[] {
  const wanted = keeper.afterTurn(connection, { effects, changed: UNCHANGED })
  if (wanted !== undefined) keeper.told(connection, wanted, facts)
  return keeper.takeNewPins()
}

t.test('a client that does nothing has nothing', async (t) => {
  const { keeper, connection } = kept()
  t.equal(keeper.afterTurn(connection, NOTHING), undefined)
  t.equal(keeper.isPinned, false)
  t.equal(keeper.link.key, linkOf('acme').key)
  t.equal(keeper.left(connection, NOTHING), true)
  t.equal(connection.isDirty, false)
})

t.test('a reported change goes into the link, here and on the server', async (t) => {
  const { keeper, connection } = kept()
  const effects = effectsOf('set timezone = x')
  t.equal(keeper.afterTurn(connection, { effects, changed: new Map(TOLD) }), undefined)
  t.equal(keeper.link.clientSettings.length, 1)
  t.equal(connection.link, keeper.link)
  t.equal(connection.beginLink(keeper.link), undefined)
})

t.test(
  'what pins is told once, and makes the connection dirty when its client leaves',
  async (t) => {
    const rig = kept()
    t.strictSame(turn(rig, LISTENING.effects, factsOf(['listen'])), ['listen'])
    t.strictSame(turn(rig, LISTENING.effects, factsOf(['listen'])), [])
    t.equal(rig.keeper.isPinned, true)
    t.equal(rig.keeper.left(rig.connection, NOTHING), true)
    t.equal(rig.connection.isDirty, true)
  },
)

t.test('a server that has nothing of it proves the connection clean', async (t) => {
  const rig = kept()
  rig.connection.markDirty()
  turn(rig, effectsOf('listen a'), factsOf())
  t.equal(rig.connection.isDirty, false)
  rig.connection.markDirty()
  turn(rig, effectsOf('set work_mem = 1'), factsOf([], { work_mem: '1' }))
  t.equal(rig.connection.isDirty, true, 'nothing was asked but a setting')
})

t.test('a client that leaves while the server is asked, or before', async (t) => {
  const asking = kept()
  asking.keeper.afterTurn(asking.connection, LISTENING)
  asking.keeper.left(asking.connection, NOTHING)
  t.equal(asking.connection.isDirty, true)
  for (const last of [LISTENING, { effects: undefined, changed: new Map(TOLD) }]) {
    const { keeper, connection } = kept()
    keeper.left(connection, last)
    t.equal(connection.isDirty, true)
  }
})

t.test('a client in session mode leaves it dirty whatever it did', async (t) => {
  const { keeper, connection } = kept(admissionOf({ mode: 'session' }))
  t.equal(keeper.left(connection, NOTHING), true)
  t.equal(connection.isDirty, true)
})

t.test('what nothing undoes costs the connection', async (t) => {
  const rig = kept()
  turn(rig, effectsOf("load 'x'"), factsOf())
  t.equal(rig.keeper.isPinned, true)
  t.equal(rig.keeper.left(rig.connection, NOTHING), false)
  const { keeper, connection } = kept()
  const last = { effects: effectsOf('select setseed(0.5)'), changed: new Map() }
  t.equal(keeper.left(connection, last), false, 'also if it leaves at once')
})

t.test('where nobody may be pinned, what slipped through is undone', async (t) => {
  const rig = kept(admissionOf({ pins: 'refuse' }))
  t.strictSame(turn(rig, effectsOf('do $$ begin end $$'), factsOf(['listen'])), [])
  t.equal(rig.keeper.isPinned, false)
  t.equal(rig.connection.isDirty, true)
})

t.test('an answer that nobody asked for changes nothing', async (t) => {
  const { keeper, connection } = kept()
  const wanted = { kinds: new Set(['listen' as const]), settings: [], customSettings: [] }
  keeper.told(connection, wanted, factsOf(['listen']))
  t.strictSame(keeper.takeNewPins(), [])
  t.equal(keeper.isPinned, false)
})

t.test('what is carried is admitted where the client moves', async (t) => {
  const { keeper, connection } = kept(
    admissionOf({ tenancy: { strategy: 'database' }, carriedSettings: ['search_path'] }),
  )
  turn({ keeper, connection }, effectsOf('set search_path = x'), factsOf([], { search_path: 'x' }))
  const before = keeper.link
  const own = admissionOf({ link: linkOf('acme') })
  t.throws(() => keeper.move(own), { code: 'SETTING_REFUSED' })
  t.equal(keeper.link, before, 'nothing is changed')
  const tenancy = { strategy: 'schema', searchPath: ['x'], setting: 'app.tenant_id' } as const
  const link = linkOf('x')
  keeper.move(admissionOf({ link, tenancy }))
  t.equal(keeper.link.tenantKey, link.tenantKey)
  t.strictSame(keeper.link.clientSettings, [{ name: 'search_path', value: '"x"' }])
})

t.test('a client that has nothing moves', async (t) => {
  const { keeper } = kept()
  const link = linkOf('globex')
  keeper.move(admissionOf({ link }))
  t.equal(keeper.link, link)
})
