import { Gauge, Registry } from 'prom-client'
import t from 'tap'
import { renderText } from '../../src/telemetry/render-text.ts'

function registryOf(metrics: number, series: number): Registry {
  const registry = new Registry()
  for (let index = 0; index < metrics; index += 1) {
    const options = { name: `g${index}`, help: 'A "gauge".', labelNames: ['a'] }
    const gauge = new Gauge({ ...options, registers: [registry] })
    for (let label = 0; label < series; label += 1) gauge.set({ a: `x"${label}` }, label)
  }
  return registry
}

t.test('the page is that of prom-client', async (t) => {
  for (const registry of [registryOf(3, 4), registryOf(1, 0)]) {
    t.equal(await renderText(registry), await registry.metrics())
  }
})

t.test('a large page lets others have their turn', async (t) => {
  const registry = registryOf(20, 10_000)
  let turns = 0
  let isOver = false
  const turn = () => {
    turns += 1
    if (!isOver) setImmediate(turn)
  }
  setImmediate(turn)
  await renderText(registry)
  isOver = true
  t.ok(turns > 3, `${turns} turns`)
})
