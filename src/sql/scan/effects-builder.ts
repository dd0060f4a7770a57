import { foldCase } from '../fold-case.ts'
import { type FunctionEffect, OLD_SETTING_NAMES } from './session-words.ts'
import type { AssignedValue, Assignment, StateKind, StatementEffects } from './statement-effects.ts'
import { isTenantSetting } from './tenant-command.ts'

const ALL_UNDOABLE: readonly StateKind[] = [
  'set',
  'listen',
  'prepare',
  'temp',
  'hold',
  'advisoryLock',
]

/** The server cuts longer identifiers. */
const MAX_NAME_BYTES = 63

/** Gathers what the statements of one text do. */
export class EffectsBuilder {
  readonly #makes = new Set<StateKind>()
  readonly #undoes = new Set<StateKind>()
  readonly #settings = new Set<string>()
  readonly #resets = new Set<string>()
  readonly #deallocates = new Set<string>()
  readonly #executes = new Set<string>()
  #resetsAll = false
  #deallocatesAll = false
  #mayTouchAnySetting = false
  #hasSettings = false
  #hasOthers = false
  #namesTenant = false
  readonly #assignments: Assignment[] = []
  #altersShared = false
  #hidesNames = false

  make(kind: StateKind): void {
    this.#makes.add(kind)
    this.#hasOthers = true
  }

  undo(kind: StateKind): void {
    this.#undoes.add(kind)
    this.#hasOthers = true
  }

  /** A setting is named, also one that is only shown or set for the transaction. */
  name(setting: string): void {
    this.#namesTenant ||= isTenantSetting(setting)
  }

  /** @param setting - `undefined`, or with an empty part, when it can't be read. */
  assign(setting: string | undefined, value: AssignedValue): void {
    const isReadable = setting?.split('.').every((part) => part !== '') === true
    const isKnown = isReadable && setting.length <= MAX_NAME_BYTES
    this.#assignments.push({ name: isKnown ? currentName(setting) : undefined, value })
  }

  /** Changes what other sessions begin with. */
  alterShared(): void {
    this.#altersShared = true
  }

  /** An identifier that can't be read: it may be the name of any function. */
  hide(): void {
    this.#hidesNames = true
    this.runCode()
  }

  /** A statement that sets `names`. */
  set(names: readonly string[]): void {
    for (const name of names) this.#addSetting(name)
    this.#makes.add('set')
  }

  /** A statement that sets `names` back to what they are by default. */
  reset(names: readonly string[]): void {
    for (const name of names) this.#resets.add(this.#addSetting(name))
    this.#undoes.add('set')
  }

  resetAll(): void {
    this.#resetsAll = true
    this.undo('set')
  }

  /** A call that sets the setting of this name, or one that is not in sight. */
  configure(name: string | undefined): void {
    this.make('set')
    if (name === undefined) this.#mayTouchAnySetting = true
    else this.#addSetting(name)
  }

  /** Code that is not in sight. */
  runCode(): void {
    this.make('code')
    this.#mayTouchAnySetting = true
  }

  call({ makes, undoes, setting }: FunctionEffect): void {
    if (setting !== undefined) this.configure(setting)
    else if (makes === 'code') this.runCode()
    else if (makes !== undefined) this.make(makes)
    if (undoes !== undefined) this.undo(undoes)
  }

  deallocate(name: string): void {
    this.#deallocates.add(name)
    this.undo('prepare')
  }

  deallocateAll(): void {
    this.#deallocatesAll = true
    this.undo('prepare')
  }

  execute(name: string): void {
    this.#executes.add(name)
    this.#hasOthers = true
  }

  discardAll(): void {
    for (const kind of ALL_UNDOABLE) this.undo(kind)
    this.resetAll()
    this.deallocateAll()
  }

  build(): StatementEffects | undefined {
    const isLasting = this.#hasSettings || this.#hasOthers
    const hasMore = this.#namesTenant || this.#altersShared || this.#assignments.length > 0
    if (!isLasting && !hasMore) return undefined
    return {
      makes: this.#makes,
      undoes: this.#undoes,
      settings: [...this.#settings],
      mayTouchAnySetting: this.#mayTouchAnySetting,
      resets: this.#resetsAll ? 'all' : [...this.#resets],
      deallocates: this.#deallocatesAll ? 'all' : [...this.#deallocates],
      executes: [...this.#executes],
      isOnlySettings: !this.#hasOthers,
      namesTenant: this.#namesTenant,
      assignments: this.#assignments,
      altersShared: this.#altersShared,
      hidesNames: this.#hidesNames,
      isLasting,
    }
  }

  #addSetting(name: string): string {
    const current = currentName(name)
    this.#settings.add(current)
    this.#hasSettings = true
    return current
  }
}

function currentName(name: string): string {
  const folded = foldCase(name)
  return OLD_SETTING_NAMES.get(folded) ?? folded
}
