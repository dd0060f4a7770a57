// Run by `helm test` in the proxy's image, where `pg` is at hand: does the Service lead to a proxy?
import { once } from 'node:events'
import { connect } from 'node:net'
import process from 'node:process'

const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f])
const PATIENCE_MS = 10_000
const { PGHOST: host, PGPORT: port, PGUSER: user } = process.env

async function speaksPostgres() {
  const socket = connect({ host, port })
  socket.setTimeout(PATIENCE_MS, () => socket.destroy(new Error('no answer')))
  socket.write(SSL_REQUEST)
  const [answer] = await once(socket, 'data')
  socket.destroy()
  const letter = answer.toString('latin1')
  if (letter !== 'S' && letter !== 'N') throw new Error(`no Postgres: it answered ${letter}`)
  console.log(`${host}:${port} speaks Postgres, ${letter === 'S' ? 'with' : 'without'} TLS`)
  return letter === 'S'
}

async function query(hasTls) {
  const { default: pg } = await import('pg')
  // Whose certificate it is, is for real clients to look at: the name of a Service is rarely in it.
  const ssl = hasTls && { rejectUnauthorized: false }
  const client = new pg.Client({ ssl, connectionTimeoutMillis: PATIENCE_MS, query_timeout: PATIENCE_MS })
  await client.connect()
  const { rows } = await client.query('SHOW pgusher.tenant')
  await client.query('SELECT 1')
  await client.end()
  console.log(`${user} came to tenant ${Object.values(rows[0])[0]}, and its server answered`)
}

const hasTls = await speaksPostgres()
if (user) await query(hasTls)
