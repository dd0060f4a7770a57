import fc from 'fast-check'
import t from 'tap'
import type { AskableKind, FactsWanted } from '../../src/server/session-facts.ts'
import { KeptState } from '../../src/session/kept-state.ts'
import { linkOf } from '../pool/pool-fixture.ts'
import { effectsOf, factsOf, policyOf } from './kept-fixture.ts'

const OWN = { jit: 'off' }
const CARRIED = ['work_mem', 'app.user', 'timezone']
const NAMES = [...CARRIED, 'jit', 'geqo', 'app.other']
const MAKES: Readonly<Record<AskableKind, string>> = {
  listen: 'listen a',
  prepare: 'prepare p as select 1',
  temp: 'create temp table t ()',
  hold: 'declare c cursor with hold for select 1',
  advisoryLock: 'select pg_advisory_lock(1)',
}
const UNDOES: Readonly<Record<AskableKind, string>> = {
  listen: 'unlisten *',
  prepare: 'deallocate p',
  temp: 'drop table t',
  hold: 'close c',
  advisoryLock: 'select pg_advisory_unlock_all()',
}
const KINDS = Object.keys(MAKES) as AskableKind[]

/** A session on a server that can do nothing but hold state. */
class Session {
  readonly kept = new KeptState(
    policyOf({ link: linkOf('acme', OWN), settings: new Map(Object.entries(OWN)) }),
  )
  readonly kinds = new Set<AskableKind>()
  readonly settings = new Map<string, string>(Object.entries(OWN))
  readonly texts: string[] = []
  #reported = 'UTC'

  set(name: string, value: string): void {
    this.texts.push(`set ${name} = 'x'`)
    this.settings.set(name, value)
  }

  /** As RESET does, and what restores the link behind it. */
  reset(name: string): void {
    this.texts.push(`reset ${name}`)
    this.#forget(name)
  }

  make(kind: AskableKind): void {
    this.texts.push(MAKES[kind])
    this.kinds.add(kind)
  }

  undo(kind: AskableKind): void {
    this.texts.push(UNDOES[kind])
    this.kinds.delete(kind)
  }

  discard(): void {
    this.texts.push('discard all')
    this.kinds.clear()
    for (const name of NAMES) this.#forget(name)
  }

  /** Code that nobody has read. */
  run(name: string, value: string): void {
    this.texts.push('do $$ begin end $$')
    // Settings that no list has can't be told of.
    if (!name.includes('.') || this.settings.has(name)) this.settings.set(name, value)
  }

  /** The transaction is over; rolled back when `before` is given. */
  end(before: Session['state'] | undefined): void {
    if (before !== undefined) this.#restore(before)
    const zone = this.settings.get('timezone') ?? 'UTC'
    const changed = new Map(zone === this.#reported ? [] : [['TimeZone', zone]])
    this.#reported = zone
    const wanted = this.kept.afterTurn(effectsOf(...this.texts.splice(0)), changed)
    if (wanted !== undefined) this.kept.told(wanted, this.#answer(wanted))
  }

  get state() {
    return { kinds: new Set(this.kinds), settings: new Map(this.settings) }
  }

  /** What a client has to find on its next server connection, or else is pinned to this one. */
  get isKept(): boolean {
    const held = this.settings
    const carried = new Map(this.kept.link.clientSettings.map(({ name, value }) => [name, value]))
    const isPinned = this.kinds.size > 0 || NAMES.some((name) => this.#isStuck(name))
    if (isPinned !== this.kept.isPinned) return false
    const seen = (of: ReadonlyMap<string, string>, name: string) =>
      of.get(name) ?? (name === 'timezone' ? 'UTC' : undefined)
    return CARRIED.every((name) => seen(carried, name) === seen(held, name))
  }

  #isStuck(name: string): boolean {
    const value = this.settings.get(name)
    return value !== (OWN as Record<string, string>)[name] && !CARRIED.includes(name)
  }

  #forget(name: string): void {
    const own = (OWN as Record<string, string>)[name]
    if (own === undefined) this.settings.delete(name)
    else this.settings.set(name, own)
  }

  #restore({ kinds, settings }: Session['state']): void {
    this.kinds.clear()
    this.settings.clear()
    for (const kind of kinds) this.kinds.add(kind)
    for (const [name, value] of settings) this.settings.set(name, value)
  }

  /** What a server would say, and no more than it was asked. */
  #answer({ kinds, settings, customSettings }: FactsWanted) {
    const told = [...this.settings].filter(([name]) =>
      name.includes('.')
        ? customSettings.includes(name)
        : settings === 'all' || settings.includes(name),
    )
    const found = [...kinds].filter((kind) => this.kinds.has(kind))
    return factsOf(found, Object.fromEntries(told))
  }
}

const name = fc.constantFrom(...NAMES)
const value = fc.constantFrom('1', '2', 'UTC')
const kind = fc.constantFrom(...KINDS)
const act = fc.oneof(
  fc.tuple(name, value).map(
    ([at, to]) =>
      (session: Session) =>
        session.set(at, to),
  ),
  name.map((at) => (session: Session) => session.reset(at)),
  kind.map((of) => (session: Session) => session.make(of)),
  kind.map((of) => (session: Session) => session.undo(of)),
  fc.tuple(name, value).map(
    ([at, to]) =>
      (session: Session) =>
        session.run(at, to),
  ),
  fc.constant((session: Session) => session.discard()),
)
const transaction = fc.record({
  acts: fc.array(act, { maxLength: 4 }),
  isRolledBack: fc.boolean(),
})

t.test('a client finds what it left, wherever it comes next', async () => {
  const check = fc.property(fc.array(transaction, { maxLength: 12 }), (transactions) => {
    const session = new Session()
    return transactions.every(({ acts, isRolledBack }) => {
      const before = isRolledBack ? session.state : undefined
      for (const apply of acts) apply(session)
      session.end(before)
      return session.isKept
    })
  })
  fc.assert(check, { numRuns: 2_000 })
})
