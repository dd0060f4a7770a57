import type { Test } from 'tap'
import { enter } from './catalog-town.ts'
import type { TestProxy } from './proxy.ts'
import { query, rows, sqlStates } from './raw-client.ts'

const ASK = 'SELECT pg_backend_pid(), n FROM kept'

/**
 * A session that works on and on while others have trouble. It holds a temporary table, so whoever
 * takes its server connection from it is noticed. Call the result to learn that nothing happened.
 */
export async function startBystander(
  t: Test,
  proxy: TestProxy,
  tenant: string,
): Promise<() => Promise<void>> {
  const client = await enter(proxy, tenant)
  await client.ask(query('CREATE TEMP TABLE kept AS SELECT 7 AS n'))
  const [first] = rows(await client.ask(query(ASK)))
  let isOver = false
  let rounds = 0
  let slowestMs = 0
  const oddities: string[] = []
  const work = (async () => {
    while (!isOver && oddities.length === 0) {
      const startedMs = performance.now()
      const frames = await client.ask(query(ASK))
      slowestMs = Math.max(slowestMs, performance.now() - startedMs)
      const [row] = rows(frames)
      if (row !== first) oddities.push(String(sqlStates(frames)[0] ?? row))
      rounds += 1
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  })()
  const end = async () => {
    isOver = true
    await work
    await client.end()
  }
  t.teardown(end)
  return async () => {
    await end()
    t.strictSame(oddities, [], `${tenant} was left alone`)
    t.match(first, /\|7$/)
    t.ok(rounds > 0)
    t.ok(slowestMs < 5000, `${slowestMs} ms`)
  }
}
