import { Client } from 'pg'
import t from 'tap'
import { startPostgres } from '../support/postgres.ts'

t.test('Postgres puts options in force before the other startup parameters', async (t) => {
  const server = await startPostgres({ major: 18 })
  t.teardown(() => server.stop())
  const client = new Client({
    connectionString: server.url('postgres'),
    options: '-c application_name=from_options -c work_mem=1MB --Work-Mem=2MB',
    application_name: 'from_parameter',
  })
  await client.connect()
  const result = await client.query(
    `select current_setting('application_name') as name, current_setting('work_mem') as memory`,
  )
  t.strictSame(result.rows, [{ name: 'from_parameter', memory: '2MB' }])
  await client.end()
})
