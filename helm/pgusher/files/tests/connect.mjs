// Run by `helm test` in the proxy's image, where `pg` is at hand: does the Service lead to a proxy?
import { connect } from 'node:net'
import process from 'node:process'

const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f])
const PATIENCE_MS = 10_000
const { PGHOST: host, PGPORT: port, PGUSER: user } = process.env

/** Returns whether TLS is offered. */
async function speaksPostgres() {
  const socket = connect({ host, port })
  socket.setTimeout(PATIENCE_MS, () => socket.destroy(new Error('no answer')))
  socket.write(SSL_REQUEST)
  const { value } = await socket[Symbol.asyncIterator]().next()
  socket.destroy()
  const answer = value?.toString('latin1') ?? ''
  if (answer !== 'S' && answer !== 'N') throw new Error(`no Postgres at ${host}:${port}`)
  console.log(`${host}:${port} speaks Postgres, ${answer === 'S' ? 'with' : 'without'} TLS`)
  return answer === 'S'
}

async function query(hasTls) {
  const { default: pg } = await import('pg')
  const client = new pg.Client({
    // Whose certificate it is, is for real clients to look at: a Service's name is rarely in it.
    ssl: hasTls && { rejectUnauthorized: false },
    connectionTimeoutMillis: PATIENCE_MS,
    query_timeout: PATIENCE_MS,
  })
  await client.connect()
  try {
    const { rows } = await client.query('SHOW pgusher.tenant')
    await client.query('SELECT 1')
    console.log(`${user} came to tenant ${Object.values(rows[0])[0]}, and its server answered`)
  } finally {
    await client.end()
  }
}

const hasTls = await speaksPostgres()
if (user) await query(hasTls)
