import t from 'tap'
import { KeptState } from '../../src/session/kept-state.ts'
import { linkOf } from '../pool/pool-fixture.ts'
import { carriedBy, effectsOf, factsOf, policyOf, turn, UNCHANGED } from './kept-fixture.ts'

const OF_LINK = {
  link: linkOf('acme', { jit: 'off', work_mem: '64MB' }),
  settings: new Map([
    ['jit', 'off'],
    ['work_mem', '65536'],
  ]),
}

t.test('settings that the link made are no state of the client', async (t) => {
  const kept = new KeptState(policyOf(OF_LINK))
  turn(kept, effectsOf('do $$ begin end $$'), factsOf([], { jit: 'off', work_mem: '65536' }))
  turn(kept, effectsOf('reset work_mem'), factsOf([], { work_mem: '65536' }))
  t.equal(kept.isPinned, false)
  t.equal(kept.isLinkLost, false)
  t.strictSame(carriedBy(kept), { jit: 'off', work_mem: '64MB' })
})

t.test('code that changes a custom setting of the link is found out', async (t) => {
  const kept = new KeptState(policyOf({ link: linkOf('acme', { 'App.User': '7' }) }))
  const wanted = kept.afterTurn(effectsOf('do $$ begin end $$'), UNCHANGED)
  t.equal(wanted?.customSettings.includes('app.user'), true)
  if (wanted !== undefined) kept.told(wanted, factsOf([], { 'app.user': '8' }))
  t.strictSame(carriedBy(kept), { 'app.user': '8' })
  turn(kept, effectsOf('do $$ begin end $$'), factsOf([], { 'app.user': '7' }))
  t.strictSame(carriedBy(kept), { 'App.User': '7' })
})

t.test('code that changes a setting of the link is found out', async (t) => {
  const kept = new KeptState(policyOf(OF_LINK))
  turn(kept, effectsOf('do $$ begin end $$'), factsOf([], { jit: 'off', work_mem: '9216' }))
  t.strictSame(carriedBy(kept), { jit: 'off', work_mem: '9216' })
  turn(kept, effectsOf('do $$ begin end $$'), factsOf([], { jit: 'on', work_mem: '65536' }))
  t.strictSame(carriedBy(kept), { jit: 'off', work_mem: '64MB' })
  t.equal(kept.isPinned, true)
  t.equal(kept.isLinkLost, false)
  turn(kept, effectsOf('do $$ begin end $$'), factsOf([], { work_mem: '65536' }))
  t.equal(kept.isPinned, false)
  t.equal(kept.isLinkLost, true, 'what code has reset has to be linked again')
})

t.test('a setting of the link that the client changed stays changed', async (t) => {
  const kept = new KeptState(policyOf(OF_LINK))
  turn(kept, effectsOf('set jit = on'), factsOf([], { jit: 'on' }))
  turn(kept, effectsOf('set work_mem = 70'), factsOf([], { work_mem: '70' }))
  t.equal(kept.isPinned, true)
  turn(kept, effectsOf('do $$ begin end $$'), factsOf([], { jit: 'on', work_mem: '70' }))
  t.equal(kept.isPinned, true)
  t.strictSame(carriedBy(kept), { jit: 'off', work_mem: '70' })
})

t.test('a setting of the link that was changed is as before after RESET ALL', async (t) => {
  for (const text of ['reset all', 'discard all']) {
    const settings = new Map([['geqo_seed', '0.5']])
    const kept = new KeptState(policyOf({ link: linkOf('acme', { geqo_seed: '0.50' }), settings }))
    turn(kept, effectsOf('set geqo_seed = 1'), factsOf([], { geqo_seed: '1' }))
    turn(kept, effectsOf('begin', text, 'rollback'), factsOf([], { geqo_seed: '1' }))
    t.equal(kept.isPinned, true, 'rolled back')
    turn(kept, effectsOf(text, 'set geqo_seed = 2'), factsOf([], { geqo_seed: '2' }))
    t.equal(kept.isPinned, true, 'changed behind it')
    turn(kept, effectsOf(text), factsOf([], { geqo_seed: '0.5' }))
    t.equal(kept.isPinned, false, 'in the spelling of the server')
  }
})

t.test('whom the connection acts for is not carried', async (t) => {
  const kept = new KeptState(policyOf())
  for (const name of ['search_path', 'app.tenant_id', 'role', 'session_authorization']) {
    turn(kept, effectsOf(`set ${name} = x`), factsOf([], { [name]: 'x' }))
    t.equal(kept.isPinned, true, name)
    const own = { search_path: '"acme"', role: 'none', session_authorization: 'pool' }[name]
    turn(kept, effectsOf(`set ${name} = y`), factsOf([], own === undefined ? {} : { [name]: own }))
    t.equal(kept.isPinned, false, name)
  }
  turn(kept, effectsOf('set search_path = acme'), factsOf([], { search_path: 'acme' }))
  t.equal(kept.isPinned, false, 'quoted in another way')
  turn(kept, effectsOf('do $$ begin end $$'), factsOf([], { search_path: 'globex' }))
  t.equal(kept.isPinned, true, 'changed by code')
})

t.test('what is carried goes along to another place', async (t) => {
  const kept = new KeptState(policyOf())
  turn(kept, effectsOf('set work_mem = 1'), factsOf([], { work_mem: '64' }))
  t.strictSame(kept.carried, [{ name: 'work_mem', value: '64' }])
  const link = linkOf('globex', { timezone: 'UTC' })
  kept.move(policyOf({ link }), [{ name: 'work_mem', value: '64' }])
  t.equal(kept.link.tenantKey, link.tenantKey)
  t.strictSame(kept.link.tenantSettings, link.tenantSettings)
  t.strictSame(carriedBy(kept), { timezone: 'UTC', work_mem: '64' })
  turn(kept, effectsOf('reset work_mem'), factsOf())
  t.equal(kept.link, link, 'and can be undone there')
})
