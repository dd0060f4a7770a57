import type { IsolationLevel } from '../../tenancy/isolation.ts'

interface LevelMeaning {
  /** What is done for it. */
  readonly does: string
  readonly holdsNotAgainst: string
}

/** In the order of what they hold against; `docs/isolation.md` says it in full. */
const MEANINGS: Readonly<Record<IsolationLevel, LevelMeaning>> = {
  convenience: {
    does: "keeps mistakes apart: search_path, or a setting that policies read, leads to the tenant's own data",
    holdsNotAgainst: 'SQL that leaves the tenant, be it by accident or injected',
  },
  guarded: {
    does: 'refuses statements that leave the tenant (SET search_path, SET ROLE, …), and looks whether a connection was left as it should be',
    holdsNotAgainst:
      'hostile SQL: qualified names reach other schemas, and functions can hide what they set',
  },
  sealed: {
    does: "Postgres itself refuses: by a database, a server login or a signed token of the tenant's own",
    holdsNotAgainst: 'rights that the server login was given beyond the tenant',
  },
}

/** The level, and what it does. */
export function levelText(level: IsolationLevel): string {
  return `${level}: ${MEANINGS[level].does}`
}

/** Lines of text about those of the levels that there are, each once. */
export function levelLines(levels: readonly IsolationLevel[]): readonly string[] {
  const used = (Object.keys(MEANINGS) as IsolationLevel[]).filter((level) => levels.includes(level))
  const lines = used.flatMap((level) => [
    `${levelText(level)}\n`,
    `  does not hold against ${MEANINGS[level].holdsNotAgainst}\n`,
  ])
  return lines.length === 0 ? [] : [...lines, '  see docs/isolation.md\n']
}
