import { IS_WORD_BYTE, spells } from '../word-bytes.ts'
import type { EffectsBuilder } from './effects-builder.ts'
import { KnownWords } from './known-words.ts'
import { FUNCTION_EFFECTS, SET_CONFIG, SETTINGS_VIEW, TEMP_SCHEMA } from './session-words.ts'
import type { SqlText } from './statement-effects.ts'
import { HOLD_WORD, SHARED_OBJECTS, TEMP_WORDS } from './statement-reader.ts'

type Note = (effects: EffectsBuilder) => void

const mayMakeTemp: Note = (effects) => effects.make('temp')
const mayConfigure: Note = (effects) => effects.configure(undefined)
const mayAssign: Note = (effects) => effects.assign(undefined, { kind: 'unknown' })
function maySet(effects: EffectsBuilder): void {
  mayConfigure(effects)
  mayAssign(effects)
}
const mayRunCode: Note = (effects) => effects.runCode()
function mayReset(effects: EffectsBuilder): void {
  maySet(effects)
  effects.undo('set')
}

/** What each word may do, wherever it stands. */
const NOTES: ReadonlyMap<string, Note> = new Map<string, Note>([
  ['set', mayReset],
  ['reset', mayReset],
  [SET_CONFIG, maySet],
  [SETTINGS_VIEW, mayConfigure],
  ['listen', (effects) => effects.make('listen')],
  ['unlisten', (effects) => effects.undo('listen')],
  ['prepare', (effects) => effects.make('prepare')],
  ['deallocate', (effects) => effects.undo('prepare')],
  ['discard', (effects) => effects.discardAll()],
  [HOLD_WORD, (effects) => effects.make('hold')],
  ['close', (effects) => effects.undo('hold')],
  ['drop', (effects) => effects.undo('temp')],
  ['load', (effects) => effects.make('load')],
  ['do', mayRunCode],
  ['call', mayRunCode],
  // Of U&"…", whose escapes may spell anything.
  ['u', (effects) => effects.hide()],
  ...TEMP_WORDS.map((word): [string, Note] => [word, mayMakeTemp]),
  ...[...FUNCTION_EFFECTS].map(([name, effect]): [string, Note] => [
    name,
    (effects) => effects.call(effect),
  ]),
])
const WORDS = new KnownWords([...NOTES.keys(), ...SHARED_OBJECTS, 'alter', 'update'])

/**
 * Takes each word of a text for what it may do, also in strings and comments: for texts of which
 * it can't be told where those end.
 */
export function searchWords({ bytes, start, end }: SqlText, effects: EffectsBuilder): void {
  const seen = new Set<string>()
  let at = start
  while (at < end) {
    const wordStart = at
    while (at < end && IS_WORD_BYTE[bytes[at] as number] === 1) at += 1
    const word = WORDS.find(bytes, wordStart, at)
    if (word !== '') seen.add(word)
    NOTES.get(word)?.(effects)
    const mayBeTemp = at - wordStart >= TEMP_SCHEMA.length
    if (mayBeTemp && spells(bytes, wordStart, TEMP_SCHEMA)) mayMakeTemp(effects)
    at += 1
  }
  noteTogether(seen, effects)
}

/** What takes more than one word. */
function noteTogether(seen: ReadonlySet<string>, effects: EffectsBuilder): void {
  if (seen.has('update') && seen.has(SETTINGS_VIEW)) mayAssign(effects)
  if (seen.has('alter') && SHARED_OBJECTS.some((word) => seen.has(word))) effects.alterShared()
}
