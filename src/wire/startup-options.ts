import { UnsupportedOptionError } from './wire-errors.ts'

/** One setting out of the startup parameter `options`. */
export interface StartupOption {
  readonly name: string
  readonly value: string
}

/** A run without white space, which is what C's `isspace` takes for it: no more, no less. */
const WORD = /(?:\\.?|[^\\ \t\n\v\f\r])+/gsu
const ESCAPE = /\\(.?)/gsu

/**
 * Reads the startup parameter `options` as Postgres does: `-c name=value`, `-cname=value` and
 * `--name=value`, where a backslash takes the next character as it is.
 *
 * @returns In the order given; a name may repeat, and then the last one counts.
 * @throws UnsupportedOptionError - for any other argument, and for one without a name or `=`.
 * @see https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNECT-OPTIONS
 */
export function parseStartupOptions(text: string): readonly StartupOption[] {
  const options: StartupOption[] = []
  const words = splitWords(text)
  for (let index = 0; index < words.length; index++) {
    const word = words[index] as string
    if (word === '-c') {
      index++
      options.push(readSetting(words[index] ?? '', word))
    } else if (word.startsWith('-c') || word.startsWith('--')) {
      options.push(readSetting(word.slice(2), word))
    } else {
      throw new UnsupportedOptionError(word)
    }
  }
  return options
}

function splitWords(text: string): readonly string[] {
  return (text.match(WORD) ?? []).map((word) => word.replace(ESCAPE, '$1'))
}

function readSetting(assignment: string, word: string): StartupOption {
  const equals = assignment.indexOf('=')
  if (equals < 1) throw new UnsupportedOptionError(assignment || word)
  return {
    name: assignment.slice(0, equals).replaceAll('-', '_'),
    value: assignment.slice(equals + 1),
  }
}
