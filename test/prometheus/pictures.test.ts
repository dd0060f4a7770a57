import t from 'tap'
import { drawRows } from '../../monitoring/pictures/draw.ts'
import { emptyPanels } from '../../monitoring/pictures/gather.ts'
import { observe } from '../../monitoring/pictures/observe.ts'

t.setTimeout(240_000)

const PNG = Buffer.from('89504e470d0a1a0a', 'hex')
/** A day is short here, and a busy machine may not see all of it. */
const DAY = { seconds: 10, intervalMs: 250, mostDays: 4 }

const rows = await observe(t, DAY)

t.test('every panel of the dashboard has something to show', async (t) => {
  t.strictSame(emptyPanels(rows), [])
})

t.test('what was done is what is shown', async (t) => {
  for (const title of ['Transactions', 'Queries', 'Traffic from clients', 'Clients']) {
    const tenants = names('Tenants, the busiest ten', title)
    for (const tenant of ['acme', 'globex', 'hooli', 'initech', 'initrode', 'umbrella']) {
      t.ok(tenants.includes(tenant), `${title}: ${tenant}`)
    }
  }
  t.ok(peak('Overview', 'Transactions and queries', 'transactions') > 0)
  t.ok(peak('Clients', 'Clients waiting') > 0, 'the rush was seen')
  t.ok(peak('Isolation', 'Violations', 'search_path') > 0, 'the mischief was seen')
  t.ok(peak('Errors', 'Tenants affected', 'SERVER_UNREACHABLE') > 0, 'the outage too')
})

t.test('every row is drawn', async (t) => {
  const pictures = await drawRows(rows)
  t.strictSame(
    pictures.map(({ title }) => title),
    rows.map(({ title }) => title),
  )
  for (const { title, png, colours } of pictures) {
    t.ok(png.subarray(0, PNG.length).equals(PNG), `${title} is a PNG`)
    const panels = rows.find((row) => row.title === title)?.panels ?? []
    t.strictSame(
      Object.keys(colours),
      panels.map((panel) => panel.title),
    )
    for (const [panel, count] of Object.entries(colours)) t.ok(count > 2, `${title}: ${panel}`)
  }
})

t.test('an empty sheet is found', async (t) => {
  const [row] = rows
  const panels = row?.panels.map((panel) => ({ ...panel, lines: [] })) ?? []
  t.strictSame(emptyPanels([{ title: 'Nothing', times: row?.times ?? [], panels }]).length, 9)
  const [picture] = await drawRows([{ title: 'Nothing', times: row?.times ?? [], panels }])
  t.equal(picture?.colours['Clients'], 1)
})

function names(row: string, panel: string): readonly string[] {
  return linesOf(row, panel).map(({ name }) => name)
}

/** The highest value of a line, or of all of them. */
function peak(row: string, panel: string, name?: string): number {
  return linesOf(row, panel)
    .filter((line) => name === undefined || line.name === name)
    .flatMap(({ values }) => values)
    .reduce<number>((highest, value) => Math.max(highest, value ?? 0), 0)
}

function linesOf(row: string, panel: string) {
  const { panels } = rows.find(({ title }) => title === row) ?? { panels: [] }
  return panels.find(({ title }) => title === panel)?.lines ?? []
}
