import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Registry } from 'prom-client'

/** How long a page may keep the event loop before sessions have their turn, in ms. */
const TURN_MS = 5

/**
 * All metrics of a registry in Prometheus' text format. prom-client's own `metrics()` makes the page
 * in one go, and nobody is served meanwhile; here the sessions go on between two metrics.
 */
export async function renderText(registry: Registry): Promise<string> {
  const parts: string[] = []
  let turnMs = performance.now()
  for (const { name } of registry.getMetricsAsArray()) {
    parts.push(await registry.getSingleMetricAsString(name))
    if (performance.now() - turnMs < TURN_MS) continue
    await nextTurn()
    turnMs = performance.now()
  }
  return `${parts.join('\n\n')}\n`
}
