import type { Test } from 'tap'
import { runProgram, runTool } from '../support/driver-program.ts'
import { acrossServers, fromEverySeat, onOneServer, type Seat } from '../support/driver-seats.ts'

const ASKING = `
  const lines = require('node:readline').createInterface({ input: process.stdin })
  console.log('some text')
  console.log(JSON.stringify({ swap: 1 }))
  lines.once('line', () => {
    const { PGUSER, PGUSHER_TENANT } = process.env
    console.log(JSON.stringify({ check: 'user', ok: PGUSER === 'app.' + PGUSHER_TENANT }))
    console.log(JSON.stringify({ check: 'swapped', ok: true, detail: { of: 'any type' } }))
    process.stdin.destroy()
  })`

await fromEverySeat(
  async (t, seat) => {
    await t.test('a program reports its checks', (t) =>
      runProgram(t, seat, {
        command: process.execPath,
        args: ['-e', ASKING],
        checks: ['user', 'swapped'],
        disturbed: 'asked',
      }),
    )
    await t.test('a tool is given input', async (t) => {
      const program = { command: 'cat', args: ['-', '/nowhere'], input: 'hello' }
      const { exitCode, stdout, stderr } = await runTool(seat, program)
      t.strictSame({ exitCode, stdout }, { exitCode: 1, stdout: 'hello' })
      t.match(stderr, /nowhere/)
    })
    await t.test('a missing program fails', (t) =>
      t.rejects(runProgram(t, seat, { command: '/nowhere', checks: [] }), { code: 'ENOENT' }),
    )
    await t.test('server connections change hands', (t) => hands(t, seat))
  },
  { majors: [18] },
)

async function hands(t: Test, seat: Seat): Promise<void> {
  const client = await seat.proxy.connect(seat.tenant)
  const askPid = async (): Promise<number> => {
    const { rows } = await client.query('SELECT owner, pg_backend_pid() AS pid FROM items')
    t.equal(rows[0].owner, seat.tenant)
    return rows[0].pid
  }
  await acrossServers(t, seat, askPid)
  await client.query('BEGIN')
  await onOneServer(t, seat, askPid)
  await client.query('SET LOCAL statement_timeout = 1000')
  await client.query('COMMIT')
  await client.end()
}
