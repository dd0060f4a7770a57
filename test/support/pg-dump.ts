import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'

const PG_DUMP = 'pg_dump'

/** Everything in a database, as the pg_dump on the PATH writes it: as SQL, a row a statement. */
export async function dumpDatabase(url: string): Promise<string> {
  const { PATH = '' } = process.env
  const child = spawn(PG_DUMP, ['--no-owner', '--inserts', url], {
    env: { PATH, LANG: 'C.UTF-8' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [dump, [exitCode]] = await Promise.all([text(child.stdout), once(child, 'close')])
  if (exitCode !== 0) throw new Error(`pg_dump ended with ${exitCode}`)
  return dump
}
