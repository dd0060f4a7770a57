import { parser } from '@prometheus-io/lezer-promql'

/**
 * The metrics that a query names, each once.
 *
 * @throws Error - it is no PromQL.
 */
export function metricsOf(query: string): readonly string[] {
  const names = new Set<string>()
  parser.parse(query).iterate({
    enter(node) {
      const text = query.slice(node.from, node.to)
      if (node.type.isError) throw new Error(`no PromQL at ${node.from}: ${query}`)
      if (node.name === 'VectorSelector') names.add(/^\w+/.exec(text)?.[0] ?? text)
    },
  })
  return [...names]
}
