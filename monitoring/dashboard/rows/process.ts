import type { Row } from '../panel.ts'
import { rate, ratesBy, series } from '../queries.ts'

/** Of other programs on Node there are metrics with the same names. */
const ours = (value: string) => `${value} and ignoring (version) ${series('pgusher_build_info')}`

export const processRow: Row = {
  title: 'Process',
  panels: [
    {
      title: 'CPU',
      description: 'Of one core. A proxy can use no more than one.',
      unit: 'percentunit',
      max: 1,
      queries: [{ expr: ours(rate('process_cpu_seconds_total')), legend: '{{instance}}' }],
    },
    {
      title: 'Event loop lateness, p99',
      description: 'How late the event loop comes to what is due. Every client waits that long.',
      unit: 's',
      queries: [{ expr: ours(series('nodejs_eventloop_lag_p99_seconds')), legend: '{{instance}}' }],
    },
    {
      title: 'Memory',
      description: 'All of the process, the part for objects, and the part for buffers.',
      unit: 'bytes',
      queries: [
        { expr: ours(series('process_resident_memory_bytes')), legend: '{{instance}} in RAM' },
        { expr: ours(series('nodejs_heap_size_used_bytes')), legend: '{{instance}} heap' },
        { expr: ours(series('nodejs_external_memory_bytes')), legend: '{{instance}} buffers' },
      ],
    },
    {
      title: 'Garbage collection',
      description: 'Share of the time that the process stands still for it.',
      unit: 'percentunit',
      queries: [
        {
          expr: ours(`sum without (kind) (${rate('nodejs_gc_duration_seconds_sum')})`),
          legend: '{{instance}}',
        },
      ],
    },
    {
      title: 'File descriptors',
      description: 'One for each client and each server connection, of those that there may be.',
      unit: 'percentunit',
      queries: [
        {
          expr: ours(`${series('process_open_fds')} / ${series('process_max_fds')}`),
          legend: '{{instance}}',
        },
      ],
    },
    {
      title: 'Reloads',
      description: 'Configurations taken, and configurations refused, a second.',
      unit: 'cps',
      queries: [ratesBy('result', 'pgusher_config_reloads_total')],
    },
    {
      title: 'Drains',
      description: 'Proxies that ended within the last hour, by how.',
      unit: 'short',
      queries: [
        {
          expr: `sum by (outcome) (max_over_time(${series('pgusher_drains_total')}[1h]))`,
          legend: '{{outcome}}',
        },
      ],
    },
    {
      title: 'Versions',
      description: 'Proxies by the version that they run.',
      unit: 'short',
      shape: 'stack',
      queries: [
        { expr: `count by (version) (${series('pgusher_build_info')})`, legend: '{{version}}' },
      ],
    },
  ],
}
