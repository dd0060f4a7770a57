import t, { type Test } from 'tap'
import { copyDataBytes, copyDoneBytes } from '../support/frontend-bytes.ts'
import { bind, codes, execute, parse, query, rows, sync } from '../support/raw-client.ts'
import { PAIRS } from '../support/saas.ts'
import { endAll, type House, logIn, onBoth, open } from './state-fixture.ts'

const FORGETTERS = ['DISCARD ALL', 'DEALLOCATE ALL']

onBoth(t, async (t, server) => {
  const house = await open(t, server)
  for (const { strategy, first } of PAIRS) {
    for (const text of FORGETTERS) {
      await t.test(`${strategy}: statements right behind ${text}`, (t) =>
        preparesBehind(t, { house, tenant: first }, text),
      )
    }
    await t.test(`${strategy}: a copy in one batch with RESET`, (t) => copies(t, house, first))
  }
})

async function preparesBehind(
  t: Test,
  { house, tenant }: { readonly house: House; readonly tenant: string },
  text: string,
): Promise<void> {
  const client = await logIn(house, tenant)
  t.equal(codes(await client.ask(parse('a', 'SELECT 1'), parse('b', 'SELECT 2'), sync)), '11Z')
  // One name anew with its text, one with another, one that is new.
  const anew = [parse('a', 'SELECT 1'), parse('b', 'SELECT 3'), parse('c', 'SELECT 4'), sync]
  client.send(query(text), ...anew)
  t.equal(codes(await client.upTo('Z')).replaceAll('S', ''), 'CZ')
  t.equal(codes(await client.upTo('Z')).replaceAll('S', ''), '111Z')
  for (const [name, value] of [
    ['a', '1'],
    ['b', '3'],
    ['c', '4'],
  ] as const) {
    t.strictSame(rows(await client.ask(bind('', name), execute(), sync)), [value])
  }
  t.equal(codes(await client.ask(parse('d', 'SELECT 4'), sync)), '1Z')
  await endAll(client)
}

async function copies(t: Test, house: House, tenant: string): Promise<void> {
  const client = await logIn(house, tenant)
  const begin = ['BEGIN', 'CREATE TEMP TABLE copied (n int) ON COMMIT DROP']
  for (const text of begin) await client.ask(query(text))
  client.send(
    ...[parse('', 'RESET search_path'), bind('', ''), execute()],
    ...[parse('', 'COPY copied FROM STDIN'), bind('', ''), execute(), sync],
    ...[copyDataBytes('1\n'), copyDoneBytes(), sync],
  )
  t.equal(codes(await client.upTo('Z')).replaceAll('S', ''), '12C12GCZ')
  t.strictSame(rows(await client.ask(query('SELECT n FROM pg_temp.copied'))), ['1'])
  await client.ask(query('COMMIT'))
  t.equal(rows(await client.ask(query('SELECT owner FROM items'))).length > 0, true)
  await endAll(client)
}
