import { CHART, type KubernetesObject, packExample, renderChart } from '../support/helm.ts'

/** What one set of values makes of the chart, or of a chart that depends on it. */
export interface RenderedSet {
  readonly name: string
  readonly objects: readonly KubernetesObject[]
}

/** Values of the chart by name: those of tests, and those that the documentation shows. */
export const VALUE_FILES = {
  'nothing given': 'test/helm/values/nothing-given.yaml',
  autoscaled: 'test/helm/values/autoscaled.yaml',
  everything: 'test/helm/values/everything.yaml',
  'ten replicas': 'examples/kubernetes/ten-replicas.yaml',
} as const

/** Renders every set of values, and the example of an application with a sidecar. */
export function renderAll(): readonly RenderedSet[] {
  const sets = Object.entries(VALUE_FILES).map(([name, file]) => ({
    name,
    objects: renderChart(CHART, '--values', file),
  }))
  const example = packExample()
  try {
    return [...sets, { name: 'application', objects: renderChart(example.chart) }]
  } finally {
    example.remove()
  }
}
