import t, { type Test } from 'tap'
import { dial } from '../../src/server/dial.ts'
import { MessageReader } from '../../src/server/message-reader.ts'
import { proveLogin } from '../../src/server/prove-login.ts'
import {
  authenticationCleartextPassword,
  authenticationMd5Password,
  authenticationOk,
} from '../../src/wire/backend-messages.ts'
import { type ScriptStep, startScriptedServer } from '../support/scripted-server.ts'

t.test('no password in the clear crosses a network', async (t) => {
  const sent: ScriptStep[] = [{ send: authenticationCleartextPassword() }, { expect: 'p' }]
  const { server, proven } = await prove(t, '10.0.0.1', sent)
  await t.rejects(proven, { code: 'SERVER_LOGIN_FAILED', isPermanent: true })
  t.equal(server.received.length, 0)
})

t.test('a loopback server may have it', async (t) => {
  const { server, proven } = await prove(t, '127.0.0.1', [
    { send: authenticationCleartextPassword() },
    { expect: 'p' },
    { send: authenticationOk() },
  ])
  await proven
  t.equal(String(server.received[0]), 'usher\0')
})

t.test('an md5 response may cross a network', async (t) => {
  const { server, proven } = await prove(t, '10.0.0.1', [
    { send: authenticationMd5Password(Buffer.from('salt')) },
    { expect: 'p' },
    { send: authenticationOk() },
  ])
  await proven
  t.match(String(server.received[0]), /^md5[0-9a-f]{32}\0$/)
})

/** Talks to a scripted server as if it had another address. */
async function prove(t: Test, remoteAddress: string, steps: readonly ScriptStep[]) {
  const server = await startScriptedServer(steps)
  t.teardown(server.stop)
  const socket = await dial(server, { timeoutMs: 5_000 })
  t.teardown(() => socket.destroy())
  Object.defineProperty(socket, 'remoteAddress', { value: remoteAddress })
  const reader = new MessageReader(socket, server, new AbortController().signal)
  const login = { database: 'saas', user: 'app', password: 'usher' }
  const target = { host: 'db.example', port: 5432, ...login }
  return { server, proven: proveLogin({ address: target, reader, target, socket }) }
}
