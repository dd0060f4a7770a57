import { foldCase } from '../fold-case.ts'
import { type FunctionEffect, OLD_SETTING_NAMES } from './session-words.ts'
import type { StateKind, StatementEffects } from './statement-effects.ts'
import { isTenantSetting } from './tenant-command.ts'

const ALL_UNDOABLE: readonly StateKind[] = [
  'set',
  'listen',
  'prepare',
  'temp',
  'hold',
  'advisoryLock',
]

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
    if (!this.#hasSettings && !this.#hasOthers && !this.#namesTenant) return undefined
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
    }
  }

  #addSetting(name: string): string {
    const folded = foldCase(name)
    const current = OLD_SETTING_NAMES.get(folded) ?? folded
    this.#settings.add(current)
    this.#hasSettings = true
    return current
  }
}
