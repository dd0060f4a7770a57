import {
  bind,
  execute,
  parse,
  query,
  type RawClient,
  type RawFrame,
  sync,
} from '../../support/raw-client.ts'
import type { Act, Case, Ground } from './attack.ts'
import { secretOf, TENANTS } from './town-sql.ts'
import type { Guest, Venue } from './venue.ts'

/** What came of an attack. */
export interface Outcome {
  /** What came to the attacker that holds the victim's secret. */
  readonly loot: readonly string[]
  /** How the victim's sessions differ from before. */
  readonly harm: readonly string[]
}

/** What the victim does all day. Each is answered the same at all times, unless it is attacked. */
const ROUND = [
  'SELECT id, note FROM items ORDER BY id',
  'SELECT upper(note), note = note FROM items',
  'SELECT greeting()',
  'SELECT last_value, is_called FROM numbers',
  `INSERT INTO items (id, note) VALUES (99, 'mine') RETURNING note`,
  'DELETE FROM items WHERE id = 99 RETURNING note',
  `SELECT current_user, session_user, current_setting('search_path'), current_setting('DateStyle'),
    current_setting('work_mem'), current_setting('row_security'), current_setting('my.own', true),
    current_setting('statement_timeout'), current_setting('standard_conforming_strings'),
    current_setting('client_encoding'), current_setting('default_transaction_read_only')`,
  `SELECT name FROM pg_prepared_statements WHERE from_sql UNION ALL SELECT name FROM pg_cursors
    UNION ALL SELECT pg_listening_channels()
    UNION ALL SELECT relname FROM pg_class WHERE relnamespace = pg_my_temp_schema()`,
  'SELECT pg_try_advisory_lock(4711), pg_advisory_unlock(4711)',
]

/** Runs one attack. The victim is there before it, and comes again behind it. */
export async function besiege(venue: Venue, ground: Ground, one: Case): Promise<Outcome> {
  const { victim } = TENANTS[one.strategy]
  const resident = await venue.logIn('app', victim)
  const before = await day(resident)
  const attacker = new Attacker(venue, ground, one)
  await attacker.run()
  if (one.attack.lingers !== true) await attacker.end()
  const after = await day(resident)
  await resident.client.end()
  const next = await venue.logIn('app', victim)
  const harm = [...attacker.harm, ...changes(before, after), ...changes(before, await day(next))]
  await next.client.end()
  await attacker.end()
  return { loot: attacker.loot, harm }
}

/** All that the victim is told in a day; of ParameterStatus, what holds at its end. */
async function day({ client, frames }: Guest): Promise<readonly string[]> {
  const told: string[] = []
  const status = new Map<string, string>()
  const note = ({ code, body }: RawFrame) => {
    const text = printable(body)
    if (code === 'S') status.set(text.split('|')[0] ?? '', text)
    else told.push(`${code} ${text}`)
  }
  for (const frame of frames) if (frame.code === 'S') note(frame)
  for (const sql of ROUND) {
    const frames = await client.ask(query(sql))
    for (const frame of frames) note(frame)
    // Nothing fails on a day like any other, and the next one could wait as long.
    if (frames.some(({ code }) => code === 'E')) return told
  }
  const prepared = client.ask(parse('', ROUND[0] as string), bind('', ''), execute(), sync)
  for (const frame of await prepared) note(frame)
  return [...told, ...[...status.values()].filter((text) => !text.startsWith('search_path')).sort()]
}

function changes(before: readonly string[], after: readonly string[]): readonly string[] {
  return after
    .filter((line, at) => line !== before[at])
    .concat(before.length > after.length ? ['silence'] : [])
}

function printable(bytes: Buffer): string {
  return bytes.toString('latin1').replaceAll(/[^ -~]+/g, '|')
}

/** Does what an attack says, and looks at every byte that comes back. */
class Attacker {
  readonly loot: string[] = []
  readonly harm: string[] = []
  readonly #venue: Venue
  readonly #acts: readonly Act[]
  readonly #names: { readonly attacker: string; readonly victim: string }
  #client: RawClient | undefined
  #victim: RawClient | undefined
  #pending: Promise<readonly RawFrame[]> | undefined

  constructor(venue: Venue, ground: Ground, { attack, strategy }: Case) {
    this.#venue = venue
    this.#acts = attack.acts(ground)
    this.#names = TENANTS[strategy]
  }

  async run(): Promise<void> {
    for (const act of this.#acts) await this.#do(act)
    if (this.#pending !== undefined) this.#suffer(await this.#pending)
    await this.#victim?.end()
  }

  async end(): Promise<void> {
    await this.#client?.end()
    this.#client = undefined
  }

  async #do(act: Act): Promise<void> {
    if (typeof act === 'string') return this.#send(query(act), 1)
    if ('bytes' in act) return this.#send(act.bytes, act.answers)
    if ('login' in act) {
      await this.end()
      await this.#logIn(act.login)
      return
    }
    this.#victim ??= (await this.#venue.logIn('app', this.#names.victim)).client
    if ('victim' in act) this.#suffer(await this.#victim.ask(query(act.victim)))
    else this.#pending = this.#victim.ask(query(act.victimBegins))
  }

  async #send(bytes: Buffer, answers: number): Promise<void> {
    const isThere = this.#client !== undefined && !this.#client.isClosed
    const client = isThere ? (this.#client as RawClient) : await this.#logIn({})
    client.send(bytes)
    for (let left = answers; left > 0; left -= 1) this.#search(await client.upTo('Z'))
  }

  async #logIn(parameters: Readonly<Record<string, string>>): Promise<RawClient> {
    const guest = await this.#venue.logIn('evil', this.#names.attacker, parameters)
    this.#search(guest.frames)
    this.#client = guest.client
    return guest.client
  }

  #search(frames: readonly RawFrame[]): void {
    const secret = secretOf(this.#names.victim)
    const found = frames.filter(({ body }) => body.includes(secret))
    this.loot.push(...found.map(({ code, body }) => `${code} ${printable(body)}`))
  }

  /** What the victim asked for has to succeed, and nobody is to talk to it meanwhile. */
  #suffer(frames: readonly RawFrame[]): void {
    const bad = frames.filter(({ code }) => code === 'E' || code === 'A')
    this.harm.push(...bad.map(({ code, body }) => `${code} ${printable(body)}`))
    if (frames.at(-1)?.code !== 'Z') this.harm.push('the victim was sent away')
  }
}
