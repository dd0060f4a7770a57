import { readArguments } from './support/arguments.ts'
import { reportChanges, reportMassChange } from './support/catalog/changes.ts'
import { reportLookups } from './support/catalog/lookups.ts'
import { reportMemory } from './support/catalog/memory.ts'
import { reportSizes } from './support/catalog/sizes.ts'
import { startWorld, type World } from './support/catalog/world.ts'
import { type Cleanup, withCleanup } from './support/cleanup.ts'
import { printReport, progress, type Report } from './support/report.ts'

const USAGE = `Usage: node dist/bench/catalog.js [--only LIST] [--markdown]

What the tenant catalog costs, over a real Postgres and a real Redis.

  --only LIST   parts to run, as in lookups,memory: lookups, sizes, memory, changes, mass
  --markdown    the tables as docs/performance.md shows them
`

/** In the order in which they are printed. */
const PARTS: Readonly<Record<string, (world: World, cleanup: Cleanup) => Promise<Report>>> = {
  lookups: reportLookups,
  sizes: reportSizes,
  memory: reportMemory,
  changes: reportChanges,
  mass: reportMassChange,
}

const options = readArguments(USAGE, { only: { type: 'string' }, markdown: { type: 'boolean' } })
const wanted = options.text('only')?.split(',') ?? Object.keys(PARTS)
const stranger = wanted.find((name) => !(name in PARTS))
if (stranger !== undefined) options.refuse(`there is no part ${stranger}`)

await withCleanup(async (cleanup) => {
  const world = await startWorld(cleanup)
  for (const [name, report] of Object.entries(PARTS)) {
    if (!wanted.includes(name)) continue
    progress(name)
    printReport(await report(world, cleanup), options.has('markdown'))
    process.stdout.write('\n')
  }
})
