import t, { type Test } from 'tap'
import { ChangedBuild, type CodeChange } from '../support/changed-build.ts'
import type { MatrixPart } from './matrix/matrix-part.ts'
import type { RoomReport } from './matrix/run-room.ts'
import { startTownServer } from './matrix/town.ts'

/** A build that leaves one thing out, and by what the matrix tells. */
interface BrokenBuild extends CodeChange {
  readonly name: string
  /** States that have to show it, each in one case at least. */
  readonly states: readonly string[]
  /** A problem that each of these states has. */
  readonly shows: RegExp
}

const LINK = 'tenancy/link.js'
const WAYS = ['a commit', 'no transaction']

const BROKEN: readonly BrokenBuild[] = [
  {
    name: 'skips the reset',
    file: LINK,
    before: '...SESSION_RESET, ...select([RELEASE_LOCKS, ...settings])',
    after: '...select(settings)',
    states: [
      'SET',
      'a setting by a function',
      'a temporary table',
      'a channel',
      'a cursor WITH HOLD',
    ],
    shows: /^found (?:setting|temporary|channel|cursor)\|/,
  },
  {
    name: 'skips the link',
    file: 'server/server-connection.js',
    before: 'this.#links.write(this.#origin, wanted)',
    after: 'undefined',
    states: ['SET LOCAL', 'SET'],
    shows: /^(?:missed tenant\||login: )/,
  },
  {
    name: 'skips the guard',
    file: 'tenancy/guard.js',
    before: 'export function guardRefusal(effects, place) {',
    after: 'export function guardRefusal(effects, place) { return undefined;',
    states: ['SET to the other tenant', 'SELECT set_config FROM', 'SET ROLE', 'ALTER ROLE … SET'],
    shows: /^was not refused$/,
  },
  {
    name: 'skips the verification',
    file: 'tenancy/verification.js',
    before: 'export function placeViolation(found, { place, user }) {',
    after: 'export function placeViolation(found, { place, user }) { return undefined;',
    states: [
      'to the other tenant by a function',
      'set_config to the other tenant in DO',
      'a role by a function',
    ],
    shows: /^nobody saw that it had left its place$/,
  },
  ...withoutStatement("'RESET ALL'", ['SET', 'a setting by a trigger'], /^found setting\|/),
  ...withoutStatement("'CLOSE ALL'", ['a cursor WITH HOLD'], /^found cursor\|/),
  ...withoutStatement("'UNLISTEN *'", ['a channel'], /^found channel\|/),
  ...withoutStatement("'DEALLOCATE ALL'", ['a statement that SQL prepared'], /^found prepared\|/),
  ...withoutStatement("'DISCARD TEMP'", ['a temporary table'], /^found temporary\|/),
  ...withoutStatement("'DISCARD SEQUENCES'", ['a value of a sequence'], /^found errors\|/),
  {
    name: 'resets without the locks',
    file: LINK,
    before: 'select([RELEASE_LOCKS, ...settings])',
    after: 'select(settings)',
    states: ['an advisory lock', 'an advisory lock in DO'],
    shows: /^found lock\|/,
  },
  {
    name: 'resets without the role',
    file: LINK,
    // The first of them resets the role as well.
    before: "'RESET SESSION AUTHORIZATION',\n    'RESET ROLE',",
    after: '',
    states: ['a role by a function'],
    // The role has no right to the tables.
    shows: /^missed tenant\|/,
  },
]

const server = await startTownServer(18, false)
t.teardown(() => server.stop())
t.jobs = 2

t.test('the build as it is passes', { buffered: true }, async (t) => {
  const states = [...new Set(BROKEN.flatMap((build) => build.states))]
  const report = await runMatrix(undefined, states)
  t.strictSame(report.failures, [])
  t.ok(report.cases >= states.length * WAYS.length, `${report.cases} cases`)
})

for (const build of BROKEN) {
  t.test(`a build that ${build.name} fails`, { buffered: true }, (t) => testBroken(t, build))
}

async function testBroken(t: Test, build: BrokenBuild): Promise<void> {
  const { failures, cases } = await runMatrix(build, build.states)
  t.comment(`${failures.length} of ${cases} cases fail`)
  for (const state of build.states) {
    const problems = failures
      .filter(({ name }) => name.includes(`mode: ${state}, `))
      .flatMap((failure) => failure.problems)
    t.ok(
      problems.some((problem) => build.shows.test(problem)),
      `${state} shows it`,
      { problems },
    )
  }
}

async function runMatrix(
  change: CodeChange | undefined,
  states: readonly string[],
): Promise<RoomReport> {
  const build = await ChangedBuild.make(change)
  try {
    const part: MatrixPart = {
      major: 18,
      strategy: 'row',
      level: 'guarded',
      mode: 'transaction',
      states,
      ways: WAYS,
    }
    const args = [server.url('postgres'), JSON.stringify(part)]
    return JSON.parse(await build.run('isolation/matrix/run-part.js', args))
  } finally {
    await build.remove()
  }
}

function withoutStatement(
  statement: string,
  states: readonly string[],
  shows: RegExp,
): readonly BrokenBuild[] {
  const name = `resets without ${statement}`
  return [{ name, file: LINK, before: `${statement},`, after: '', states, shows }]
}
