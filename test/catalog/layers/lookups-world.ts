import type { CatalogEntry, CatalogName } from '../../../src/catalog/entry.ts'
import type { Found } from '../../../src/catalog/layers/lookups.ts'
import type { CachedEntry, KnownEntry } from '../../../src/catalog/layers/record-layers.ts'
import {
  absentEntry,
  FakeCache,
  failure,
  type Question,
  setScene,
  settle,
  TTL_MS,
  tenantEntry,
} from './layers-fixture.ts'

export const NAMES = ['a', 'b', 'c', 'd'] as const
export type Name = (typeof NAMES)[number]

/** What hangs longer has failed, as with the real layers. */
const TIMEOUT_MS = 500
/** By as much more than its time may an entry be old: reading it took time, in Redis and before. */
const SLACK_MS = 3 * TIMEOUT_MS
const TOMBSTONE_MS = 60_000
const BOUNDS = { maxEntries: 3, maxBytes: 1_048_576 }

interface Written {
  readonly version: number
  readonly atMs: number
  readonly isThere: boolean
}

interface Message {
  readonly name: Name | undefined
  readonly version: number
}

/** An entry, a tombstone, and for how long it is kept. */
interface Stored {
  readonly asOf: number
  readonly entry: CatalogEntry | undefined
  readonly atMs: number
  readonly keptMs: number
}

/** Redis by its rules: what is newer stays. */
class ModelCache extends FakeCache {
  readonly #stored = new Map<string, Stored>()
  readonly #nowMs: () => number
  #floor = 0

  constructor(nowMs: () => number) {
    super()
    this.#nowMs = nowMs
  }

  lookUp({ name }: CatalogName): CachedEntry | undefined {
    const stored = this.#at(name)
    if (stored?.entry === undefined || stored.asOf < this.#floor) return undefined
    return { entry: structuredClone(stored.entry), ageMs: this.#nowMs() - stored.atMs }
  }

  empty(): void {
    this.#stored.clear()
    this.#floor = 0
  }

  override async fill(name: CatalogName, entry: CatalogEntry, keptMs: number): Promise<boolean> {
    this.#check()
    if (entry.asOf < Math.max(this.#floor, this.#at(name.name)?.asOf ?? 0)) return false
    this.#stored.set(name.name, { asOf: entry.asOf, entry, atMs: this.#nowMs(), keptMs })
    return true
  }

  override async voidName({ name }: CatalogName, asOf: number): Promise<void> {
    this.#check()
    if (asOf <= (this.#at(name)?.asOf ?? 0)) return
    const stored = { asOf, entry: undefined, atMs: this.#nowMs(), keptMs: TOMBSTONE_MS }
    this.#stored.set(name, stored)
  }

  override async raiseFloor(asOf: number): Promise<void> {
    this.#check()
    this.#floor = Math.max(this.#floor, asOf)
  }

  #at(name: string): Stored | undefined {
    const stored = this.#stored.get(name)
    return stored && this.#nowMs() < stored.atMs + stored.keptMs ? stored : undefined
  }

  #check(): void {
    if (!this.isUp) throw failure('redis')
  }
}

/** One proxy, its Redis and its source, with everything that can go wrong between them. */
export class World {
  readonly #scene = setScene(BOUNDS)
  readonly #cache = new ModelCache(() => this.#scene.clock.nowMs())
  readonly #history = new Map<Name, Written[]>(
    NAMES.map((name) => [name, [{ version: 1, atMs: 0, isThere: name !== 'd' }]]),
  )
  readonly #messages: Message[] = []
  /** Newest version that was told of a name, and of all. */
  readonly #told = new Map<Name | undefined, number>()
  /** When something was last told without a version, counted in questions. */
  readonly #doubted = new Map<Name | undefined, number>()
  readonly #askedAt = new Map<CatalogEntry, number>()
  readonly #asked = new Map<object, Asking>()
  readonly #pending = new Set<Promise<void>>()
  #version = 1
  #questions = 0
  #hasLost = false
  isSourceUp = true
  readonly faults: string[] = []
  finds = 0

  constructor() {
    const { cache } = this.#scene
    // Questions stay open until the test answers them, from what its Redis holds by then.
    cache.script = undefined
    cache.fill = (...args) => this.#cache.fill(...args)
    cache.voidName = (...args) => this.#cache.voidName(...args)
    cache.raiseFloor = (...args) => this.#cache.raiseFloor(...args)
  }

  update(name: Name, isThere: boolean): void {
    this.#version += 1
    const written = { version: this.#version, atMs: this.#scene.clock.nowMs(), isThere }
    this.#history.get(name)?.push(written)
    this.#messages.push({ name, version: this.#version })
  }

  /** Of something that concerns all names, and none of them here. */
  updateAll(): void {
    this.#version += 1
    this.#messages.push({ name: undefined, version: this.#version })
  }

  /** Tells one of the messages that are under way, in any order. */
  deliver(index: number): void {
    const [message] = this.#messages.splice(index % Math.max(1, this.#messages.length), 1)
    if (message === undefined) return
    const { name, version } = message
    this.#told.set(name, Math.max(version, this.#told.get(name) ?? 0))
    if (name === undefined) this.#scene.all(version)
    else this.#scene.changed(name, version)
  }

  lose(index: number): void {
    const lost = this.#messages.splice(index % Math.max(1, this.#messages.length), 1)
    this.#hasLost ||= lost.length > 0
  }

  /** Somebody has changed the name's key in Redis, or Postgres was away. */
  doubt(name: Name | undefined): void {
    this.#doubted.set(name, this.#questions)
    const change =
      name === undefined
        ? ({ kind: 'all', version: undefined } as const)
        : ({ kind: 'name', name: { kind: 'tenant', name }, version: undefined } as const)
    this.#scene.lookups.heard(change, 'redis')
  }

  /** Another proxy reads and fills Redis. */
  async fillElsewhere(name: Name): Promise<void> {
    if (!this.#cache.isUp) return
    await this.#cache.fill({ kind: 'tenant', name }, this.#read(name), 60_000)
  }

  switchCache({ isUp, isEmpty }: { readonly isUp: boolean; readonly isEmpty: boolean }): void {
    this.#scene.cache.isUp = isUp
    const wasUp = this.#cache.isUp
    this.#cache.isUp = isUp
    if (isEmpty) this.#cache.empty()
    if (wasUp !== isUp) this.doubt(undefined)
  }

  /** Time goes by; what has been asked for too long fails. */
  async advance(byMs: number): Promise<void> {
    const { clock, source, cache } = this.#scene
    for (let leftMs = byMs; leftMs > 0; leftMs -= TIMEOUT_MS) {
      clock.advance(Math.min(leftMs, TIMEOUT_MS))
      const isOver = (question: object) =>
        clock.nowMs() - (this.#asked.get(question)?.ms ?? 0) >= TIMEOUT_MS
      while (source.open[0] && isOver(source.open[0])) source.next().fail(failure('postgres'))
      while (cache.open[0] && isOver(cache.open[0])) cache.next().fail(failure('redis'))
      await this.settle()
    }
  }

  /** @param isLate - What is true now is answered; else what was when it was asked for. */
  answerSource(index: number, isLate: boolean): void {
    const question = take(this.#scene.source.open, index)
    if (question === undefined) return
    if (!this.isSourceUp) {
      question.fail(failure('postgres'))
      return
    }
    const asked = this.#asked.get(question)
    const entry = isLate || !asked ? this.#read(question.name.name as Name) : asked.entry
    this.#askedAt.set(entry, asked?.count ?? 0)
    question.answer(entry)
  }

  answerCache(index: number, isLate: boolean): void {
    const question = take(this.#scene.cache.open, index)
    if (question === undefined) return
    if (!this.#cache.isUp) {
      question.fail(failure('redis'))
      return
    }
    const asked = this.#asked.get(question)
    const cached = isLate || !asked ? this.#cache.lookUp(question.name) : asked.cached
    if (cached) this.#askedAt.set(cached.entry, asked?.count ?? 0)
    question.answer(cached)
  }

  find(name: Name): void {
    const told = this.#told.get(name) ?? 0
    const promise = {
      name,
      told,
      toldOrAll: Math.max(told, this.#told.get(undefined) ?? 0),
      doubted: Math.max(this.#doubted.get(name) ?? 0, this.#doubted.get(undefined) ?? 0),
      startedMs: this.#scene.clock.nowMs(),
    }
    const done = this.#scene.find(name).then(
      (found) => this.#check(found, promise),
      (error) => {
        if (error.code !== 'CATALOG_UNAVAILABLE') this.faults.push(String(error))
      },
    )
    this.#pending.add(done)
    void done.then(() => this.#pending.delete(done))
  }

  async settle(): Promise<void> {
    await settle()
    this.#noteQuestions()
    const open = [...this.#scene.source.open, ...this.#scene.cache.open].map(
      ({ name }) => name.name,
    )
    if (new Set(open).size < open.length) this.faults.push(`two lookups: ${open}`)
    const { memory } = this.#scene
    if (memory.count > 2 * BOUNDS.maxEntries) this.faults.push(`${memory.count} entries`)
    if (memory.bytes > BOUNDS.maxBytes) this.faults.push(`${memory.bytes} bytes`)
  }

  /** All failures end, late messages come, and after lost ones the time of all records passes. */
  async heal(): Promise<void> {
    this.isSourceUp = true
    this.switchCache({ isUp: true, isEmpty: false })
    while (this.#messages.length > 0) this.deliver(0)
    await this.answerAll()
    await this.advance(this.#hasLost ? TTL_MS + SLACK_MS : 1000)
    for (const name of NAMES) {
      const found = this.#scene.find(name)
      await this.answerAll()
      const { entry, isStale } = await found
      const now = this.#history.get(name)?.at(-1)
      const version = entry.kind === 'tenant' ? entry.document.tenant.version : undefined
      const isRight = version === (now?.isThere ? now.version : undefined)
      if (!isRight || isStale) this.faults.push(`${name} is not healed: ${version}`)
    }
  }

  async answerAll(): Promise<void> {
    await this.settle()
    while (this.#scene.source.open.length + this.#scene.cache.open.length > 0) {
      this.answerCache(0, true)
      this.answerSource(0, true)
      await this.settle()
    }
    await Promise.all(this.#pending)
  }

  #noteQuestions(): void {
    const { source, cache, clock } = this.#scene
    for (const question of [...source.open, ...cache.open]) {
      if (this.#asked.has(question)) continue
      this.#questions += 1
      this.#asked.set(question, {
        ms: clock.nowMs(),
        count: this.#questions,
        entry: this.#read(question.name.name as Name),
        cached: this.#cache.lookUp(question.name),
      })
    }
  }

  #read(name: Name): CatalogEntry {
    const now = this.#history.get(name)?.at(-1)
    if (!now?.isThere) return absentEntry(this.#version)
    return tenantEntry(name, this.#version, now.version)
  }

  /** Whether the source has said so, in that version. */
  #wasSo(name: Name, entry: KnownEntry): boolean {
    const then = this.#history.get(name)?.findLast(({ version }) => version <= entry.asOf)
    if (entry.kind !== 'tenant') return then?.isThere === false
    const { tenant } = entry.document
    return then?.isThere === true && tenant.name === name && tenant.version === then.version
  }

  #check(found: Found, promise: FindPromise): void {
    this.finds += 1
    const { entry, isStale } = found
    const { name, told, toldOrAll, doubted, startedMs } = promise
    const fault = (text: string) => this.faults.push(`${name}: ${text} ${JSON.stringify(found)}`)
    if (!this.#wasSo(name, entry)) fault('never was so')
    if (entry.asOf < (isStale ? told : toldOrAll)) fault('is from before what was told')
    if (isStale) return
    if ((this.#askedAt.get(entry as CatalogEntry) ?? 0) <= doubted) fault('was in doubt')
    const next = this.#history.get(name)?.find((written) => written.version > entry.asOf)
    if (next && next.atMs < startedMs - TTL_MS - SLACK_MS) fault('is too old')
  }
}

/** When a question was asked, and what was true then. */
interface Asking {
  readonly ms: number
  readonly count: number
  readonly entry: CatalogEntry
  readonly cached: CachedEntry | undefined
}

/** What a find must know, by what was told before it. */
interface FindPromise {
  readonly name: Name
  readonly told: number
  readonly toldOrAll: number
  readonly doubted: number
  readonly startedMs: number
}

function take<T>(open: Question<T>[], index: number): Question<T> | undefined {
  return open.splice(index % Math.max(1, open.length), 1)[0]
}
