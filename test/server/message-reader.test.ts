import { getEventListeners } from 'node:events'
import type { Socket } from 'node:net'
import t, { type Test } from 'tap'
import { dial } from '../../src/server/open/dial.ts'
import { MessageReader } from '../../src/server/open/message-reader.ts'
import { authenticationOk, readyForQuery } from '../../src/wire/backend-messages.ts'
import { type ScriptStep, startScriptedServer } from '../support/scripted-server.ts'

const UNREACHABLE = { code: 'SERVER_UNREACHABLE' }

t.test('the socket flows only while a message is awaited', async (t) => {
  const { socket, reader } = await connect(t, [{ send: authenticationOk() }])
  t.equal(socket.isPaused(), true)
  const message = reader.next()
  t.equal(socket.isPaused(), false)
  t.match(await message, { code: 0x52 })
  t.equal(socket.isPaused(), true)
})

t.test('what came before the end is still handed out', async (t) => {
  const bytes = Buffer.concat([authenticationOk(), readyForQuery('I')])
  const { socket, reader } = await connect(t, [{ send: bytes }, { close: 'end' }])
  await reader.next()
  socket.destroy()
  t.match(await reader.next(), { code: 0x5a })
  await t.rejects(reader.next(), UNREACHABLE)
  await t.rejects(reader.next(), UNREACHABLE, 'and again')
})

t.test('an aborted signal fails the next message', async (t) => {
  const { reader } = await connect(t, [], AbortSignal.abort(new Error('drained')))
  await t.rejects(reader.next(), { ...UNREACHABLE, message: /drained/ })
})

t.test('lets go, and hands over the bytes of an unfinished message', async (t) => {
  const bytes = Buffer.concat([authenticationOk(), Buffer.from('Z\0\0')])
  const { signal } = new AbortController()
  const { reader } = await connect(t, [{ send: bytes }], signal)
  await reader.next()
  t.equal(String(reader.release()), 'Z\0\0')
  t.equal(getEventListeners(signal, 'abort').length, 0)
})

async function connect(
  t: Test,
  steps: readonly ScriptStep[],
  signal: AbortSignal = new AbortController().signal,
): Promise<{ readonly socket: Socket; readonly reader: MessageReader }> {
  const server = await startScriptedServer(steps)
  t.teardown(server.stop)
  const socket = await dial(server, { timeoutMs: 5_000 })
  t.teardown(() => socket.destroy())
  return { socket, reader: new MessageReader(socket, server, signal) }
}
