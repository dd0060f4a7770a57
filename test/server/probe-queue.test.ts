import t, { type Test } from 'tap'
import type { ServerTarget } from '../../src/catalog/route.ts'
import { ProbeQueue } from '../../src/server/open/probe-queue.ts'
import type { Tenancy } from '../../src/tenancy/tenancy.ts'
import { authenticationOk, readyForQuery } from '../../src/wire/backend-messages.ts'
import {
  type ScriptedServer,
  type ScriptStep,
  startScriptedServer,
} from '../support/scripted-server.ts'

const DATABASE: Tenancy = { strategy: 'database' }
const ROW: Tenancy = { strategy: 'row', searchPath: ['public'], setting: 'app.id', value: '42' }
const UNREACHABLE = { code: 'SERVER_UNREACHABLE' }
const STARTED: ScriptStep = { expect: 'startup' }
const LOGIN: ScriptStep = { send: Buffer.concat([authenticationOk(), readyForQuery('I')]) }

t.test('asks no more at a time than it may, and hands on the turn', async (t) => {
  const hung = await start(t, [STARTED])
  const quick = await start(t, [STARTED, LOGIN])
  const queue = new ProbeQueue({ maxProbes: 1, maxWaiting: 2 })
  const { probe: first, giveUp } = begin(queue, hung)
  await hung.firstMessage
  const second = begin(queue, quick)
  const third = begin(queue, quick)
  const fourth = begin(queue, quick)
  await t.rejects(fourth.probe, { ...UNREACHABLE, message: /too many/ })
  t.equal(quick.received.length, 0, 'nobody asked yet')
  giveUp(new Error('enough'))
  await t.rejects(first, { ...UNREACHABLE, message: /enough/ })
  t.equal(await second.probe, 'present')
  t.equal(await third.probe, 'present')
  t.equal(quick.received.length, 2)
  t.equal(await begin(queue, quick).probe, 'present', 'its place is free again')
})

t.test('asks as many at a time as it may', async (t) => {
  const servers = await Promise.all([1, 2, 3].map(() => start(t, [STARTED])))
  const queue = new ProbeQueue({ maxProbes: 3, maxWaiting: 0 })
  const begun = servers.map((server) => begin(queue, server))
  await Promise.all(servers.map((server) => server.firstMessage))
  await Promise.all(
    begun.map(async ({ probe, giveUp }) => {
      giveUp(new Error('enough'))
      await t.rejects(probe, UNREACHABLE)
    }),
  )
})

t.test('who waits too long gives up, and takes nobody else along', async (t) => {
  const hung = await start(t, [STARTED])
  const quick = await start(t, [STARTED, LOGIN])
  const queue = new ProbeQueue({ maxProbes: 1, maxWaiting: 2 })
  const first = begin(queue, hung)
  const late = queue.probe(targetOf(quick), DATABASE, { timeoutMs: 30 })
  const other = begin(queue, quick)
  await t.rejects(late, { ...UNREACHABLE, message: /turn.*30 ms/ })
  const another = begin(queue, quick)
  first.giveUp(new Error('enough'))
  await t.rejects(first.probe, UNREACHABLE)
  t.equal(await other.probe, 'present')
  t.equal(await another.probe, 'present', 'its place in the queue was free again')
  t.equal(quick.received.length, 2, 'the late one never asked')
})

t.test('who has given up already does not ask', async (t) => {
  const quick = await start(t, [STARTED, LOGIN])
  const queue = new ProbeQueue({ maxProbes: 1, maxWaiting: 1 })
  const gone = queue.probe(targetOf(quick), DATABASE, {
    timeoutMs: 0,
    signal: AbortSignal.abort(new Error('drained')),
  })
  await t.rejects(gone, { ...UNREACHABLE, message: /drained/ })
  t.equal(quick.received.length, 0)
})

t.test('rows take no turn', async (t) => {
  const hung = await start(t, [STARTED])
  const queue = new ProbeQueue({ maxProbes: 1, maxWaiting: 0 })
  const { probe, giveUp } = begin(queue, hung)
  t.equal(await queue.probe(targetOf(hung), ROW, { timeoutMs: 10_000 }), 'present')
  giveUp(new Error('enough'))
  await t.rejects(probe, UNREACHABLE)
})

async function start(t: Test, steps: readonly ScriptStep[]): Promise<ScriptedServer> {
  const server = await startScriptedServer(steps)
  t.teardown(server.stop)
  return server
}

/** A probe, and what ends it early. */
function begin(queue: ProbeQueue, server: ScriptedServer) {
  const controller = new AbortController()
  const { signal } = controller
  const probe = queue.probe(targetOf(server), DATABASE, { timeoutMs: 10_000, signal })
  return { probe, giveUp: (reason: Error) => controller.abort(reason) }
}

function targetOf({ host, port }: ScriptedServer): ServerTarget {
  return { host, port, database: 'saas', user: 'app', password: 'usher', tls: undefined }
}
