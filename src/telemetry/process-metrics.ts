import { readdir, stat } from 'node:fs/promises'
import { collectDefaultMetrics, Gauge, type Registry } from 'prom-client'
import { packageVersion } from './package-version.ts'

const DESCRIPTORS = '/proc/self/fd'

/**
 * What prom-client shows of a process, and we don't: lists of all open sockets are made for it at
 * each scrape, and with 10,000 clients the event loop stood still for 30 ms.
 */
const SLOW = [
  'nodejs_active_handles',
  'nodejs_active_handles_total',
  'nodejs_active_requests',
  'nodejs_active_requests_total',
  'nodejs_active_resources',
  'nodejs_active_resources_total',
  'process_open_fds',
]

/** Registers what is true of any program on Node, and which version of this one runs. */
export function registerProcess(registry: Registry): void {
  const buildInfo = new Gauge({
    name: 'pgusher_build_info',
    help: 'Always 1; the label says which version runs.',
    labelNames: ['version'],
    registers: [registry],
  })
  buildInfo.set({ version: packageVersion() }, 1)
  collectDefaultMetrics({ register: registry })
  for (const name of SLOW) registry.removeSingleMetric(name)
  if (process.platform === 'linux') registerDescriptors(registry)
}

function registerDescriptors(registry: Registry): void {
  const gauge = new Gauge({
    name: 'process_open_fds',
    help: 'Number of open file descriptors.',
    registers: [registry],
    async collect() {
      gauge.set(await countDescriptors())
    },
  })
}

/**
 * Linux says how many there are since version 6.2; before, their names have to be read, which
 * takes long but not on the thread that serves clients.
 *
 * @see https://docs.kernel.org/filesystems/proc.html - section 3.11
 */
async function countDescriptors(): Promise<number> {
  const { size } = await stat(DESCRIPTORS)
  if (size > 0) return size
  const names = await readdir(DESCRIPTORS)
  // One of them was opened to read the others.
  return names.length - 1
}
