import { type Attack, bound, type Ground, READ } from './attack.ts'

/** SET in all spellings: behind each, `items` are those of the victim. */
type Spelling = (ground: Ground) => string

function withEscapes(name: string): string {
  return name.replace('_', '\\005f')
}

function quoted(name: string): string {
  return name
    .split('.')
    .map((part) => `"${part}"`)
    .join('.')
}

function unicodeName(name: string): string {
  return name
    .split('.')
    .map((part) => `U&"${withEscapes(part)}"`)
    .join('.')
}

const OWN_TEXT: Readonly<Record<string, Spelling>> = {
  'SET with =': (g) => `SET ${g.setting} = '${g.theirs}'`,
  'SET with TO': (g) => `SET ${g.setting} TO '${g.theirs}'`,
  'SET SESSION': (g) => `SET SESSION ${g.setting} = '${g.theirs}'`,
  'mixed case': (g) => `sEt ${g.setting.replace('s', 'S').replace('t', 'T')} tO '${g.theirs}'`,
  'comments for spaces': (g) => `SET/**/${g.setting}/*x*/=/*/* nested */*/'${g.theirs}'`,
  'comments to the end of a line': (g) => `SET -- ; '\n${g.setting} -- "\n= '${g.theirs}'`,
  'tabs, form feeds and returns': (g) => `\f\tSET\r${g.setting}\f=\t'${g.theirs}'`,
  'no spaces where none are needed': (g) => `SET ${g.setting}='${g.theirs}'`,
  'a quoted name': (g) => `SET ${quoted(g.setting)} = '${g.theirs}'`,
  'a name with Unicode escapes': (g) => `SET ${unicodeName(g.setting)} = '${g.theirs}'`,
  'a value in double quotes': (g) => `SET ${g.setting} = "${g.theirs}"`,
  'a value with escapes': (g) => `SET ${g.setting} = E'\\x${hex(g.theirs)}${g.theirs.slice(1)}'`,
  'a value with Unicode escapes': (g) => `SET ${g.setting} = U&'${withEscapes(g.theirs)}'`,
  'a value in dollar quotes': (g) => `SET ${g.setting} = $v$${g.theirs}$v$`,
  'a value on two lines': (g) =>
    `SET ${g.setting} = '${g.theirs.slice(0, 3)}'\n'${g.theirs.slice(3)}'`,
  'empty statements ahead of it': (g) => `;; ;SET ${g.setting} = '${g.theirs}'`,
  'a doubled quote ahead of it': (g) => `SELECT 'it''s'; SET ${g.setting} = '${g.theirs}'`,
  'an escaped quote ahead of it': (g) => `SELECT E'\\'--'; SET ${g.setting} = '${g.theirs}'`,
  'a backslash that escapes nothing ahead of it': (g) =>
    `SELECT '\\'; SET ${g.setting} = '${g.theirs}' --'`,
  'dollar quotes in dollar quotes ahead of it': (g) =>
    `SELECT $a$ $b$ $a$; SET ${g.setting} = '${g.theirs}' -- $b$`,
  'a dollar in a name ahead of it': (g) =>
    `SELECT 1 AS a$b$; SET ${g.setting} = '${g.theirs}' -- $b$`,
  'a nested comment ahead of it': (g) => `/* /* */ ' */ SET ${g.setting} = '${g.theirs}'`,
  'a comment that only looks like one': (g) => `SELECT '/*'; SET ${g.setting} = '${g.theirs}' --*/`,
  'a quoted name with a quote ahead of it': (g) =>
    `SELECT 1 AS "a""'"; SET ${g.setting} = '${g.theirs}' --'`,
}

function hex(text: string): string {
  return text.charCodeAt(0).toString(16)
}

const SAME_TEXT: Readonly<Record<string, Spelling>> = {
  'SET and its use in one text': (g) => `SET ${g.setting} = '${g.theirs}'; ${READ}`,
  'SET LOCAL': (g) => `BEGIN; SET LOCAL ${g.setting} = '${g.theirs}'; ${READ}; COMMIT`,
  'SET LOCAL in the block of a text': (g) => `SET LOCAL ${g.setting} = '${g.theirs}'; ${READ}`,
  'SET that is rolled back': (g) => `BEGIN; SET ${g.setting} = '${g.theirs}'; ${READ}; ROLLBACK`,
  'SET in a savepoint': (g) =>
    `BEGIN; SAVEPOINT a; SET ${g.setting} = '${g.theirs}'; ${READ}; ROLLBACK TO a; COMMIT`,
  'SET in a text that fails': (g) => `SET ${g.setting} = '${g.theirs}'; ${READ}; SELECT 1/0`,
}

const PARTS: readonly Attack[] = [
  {
    name: 'SET SCHEMA',
    strategy: 'schema',
    aim: 'read',
    acts: (g) => [`SET SCHEMA '${g.theirs}'`, READ],
    stoppedBy: 'guarded',
  },
  {
    name: 'the schema among others',
    strategy: 'schema',
    aim: 'read',
    acts: (g) => [`SET search_path = pg_catalog, "${g.theirs}", ${g.mine}`, READ],
    stoppedBy: 'guarded',
  },
  {
    name: 'SET with a custom UESCAPE',
    strategy: 'schema',
    aim: 'read',
    acts: (g) => [`SET U&"search!005fpath" UESCAPE '!' = '${g.theirs}'`, READ],
    stoppedBy: 'guarded',
  },
  {
    name: 'SET in a transaction of several texts',
    strategy: 'both',
    aim: 'read',
    acts: (g) => ['BEGIN', `SET ${g.setting} = '${g.theirs}'`, READ, 'COMMIT'],
    stoppedBy: 'guarded',
  },
  {
    name: 'SET by the extended protocol',
    strategy: 'both',
    aim: 'read',
    acts: (g) => [bound(`SET ${g.setting} = '${g.theirs}'`), bound(READ)],
    stoppedBy: 'guarded',
  },
  {
    name: 'SET where backslashes escape',
    strategy: 'both',
    aim: 'read',
    acts: (g) => [
      'SET standard_conforming_strings = off',
      `SELECT '\\'--'; SET ${g.setting} = '${g.theirs}'`,
      READ,
    ],
    stoppedBy: 'guarded',
  },
  {
    name: 'SET where backslashes escape, as set_config made them',
    strategy: 'both',
    aim: 'read',
    acts: (g) => [
      `SELECT set_config('standard_conforming_' || 'strings', 'off', false)`,
      `SELECT '\\'--'; SET ${g.setting} = '${g.theirs}'`,
      READ,
    ],
    stoppedBy: 'guarded',
  },
  {
    name: 'SET where backslashes escape, as a DO block made them in this transaction',
    strategy: 'both',
    aim: 'read',
    acts: (g) => [
      'BEGIN',
      `DO $$BEGIN EXECUTE 'SET standard_conforming_' || 'strings = off'; END$$`,
      `SELECT '\\'--'; SET ${g.setting} = '${g.theirs}'`,
      READ,
      'COMMIT',
    ],
    stoppedBy: 'guarded',
  },
]

function spelled(name: string, acts: Attack['acts']): Attack {
  return { name, strategy: 'both', aim: 'read', acts, stoppedBy: 'guarded' }
}

export const SPELLINGS: readonly Attack[] = [
  ...Object.entries(OWN_TEXT).map(([name, text]) =>
    spelled(`SET: ${name}`, (ground) => [text(ground), READ]),
  ),
  ...Object.entries(SAME_TEXT).map(([name, text]) => spelled(name, (ground) => [text(ground)])),
  ...PARTS,
]
