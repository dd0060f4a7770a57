import { setTimeout as sleep } from 'node:timers/promises'
import { askedLine, type Line } from '../admin/explain/explain-lines.ts'
import type { Resolver } from '../admin/explain/explain-route.ts'
import { explainFromFile } from '../admin/explain/file-explanation.ts'
import { systemClock } from '../base/clock.ts'
import type { LogFields, Logger } from '../base/logger.ts'
import type { CatalogLayer } from '../catalog/catalog-observer.ts'
import { FileCatalog } from '../catalog/file-catalog.ts'
import {
  type CatalogOptions,
  type OpenCatalog,
  openCatalog,
} from '../catalog/layers/open-catalog.ts'
import type { Config } from '../config/config.ts'
import { catalogOptions } from '../config/room-options.ts'
import { openSocket } from '../server/open/open-socket.ts'

/**
 * Opens the catalog of a configuration, has `work` done with it, and closes it again. No server of
 * a tenant is asked for anything.
 */
export async function withResolver<T>(
  config: Config,
  work: (resolver: Resolver) => Promise<T>,
): Promise<T> {
  const options = catalogOptions(config)
  if (options === undefined) return work(fileResolver(config))
  const journal = new Journal()
  const opened = await openReadily(config, options, journal)
  try {
    return await work({
      resolve: (request) => opened.catalog.explain(request),
      lines: () => journal.lines(),
    })
  } finally {
    opened.close()
  }
}

function fileResolver({ records }: Config): Resolver {
  const catalog = new FileCatalog(records)
  return { lines: () => [], resolve: (request) => explainFromFile(catalog, request) }
}

/** Opens the layers, and gives Redis the time of one answer to be there. */
async function openReadily(
  config: Config,
  options: CatalogOptions,
  journal: Journal,
): Promise<OpenCatalog> {
  let wake = () => {}
  const opened = await openCatalog(options, {
    file: new FileCatalog(config.records),
    defaults: config,
    servers: config.sharedServers,
    observer: {
      lookedUp: (layer, result, durationMs) => journal.asked(layer, { result, durationMs }),
      servedStale() {},
      recordRefused() {},
      changeTold() {},
    },
    logger: journal.logger,
    clock: systemClock,
    openSocket,
    probe() {
      journal.note(`whether a template's tenant is really there was not asked`)
      return Promise.resolve('present')
    },
    // Redis tells so when it is ready.
    told: () => wake(),
  })
  const isReady = () => opened.health().isRedisUp !== false
  const timeoutMs = options.redis?.timeoutMs ?? 0
  const over = new AbortController()
  wake = () => {
    if (isReady()) over.abort()
  }
  wake()
  await sleep(timeoutMs, undefined, { signal: over.signal }).catch(() => {})
  if (!isReady()) journal.note(`redis was not ready within ${timeoutMs} ms`)
  return opened
}

/** What happened in the catalog, for the reader of the page. */
class Journal {
  readonly #answers = new Map<CatalogLayer, string[]>()
  /** Each once: what is tried again fails again. */
  readonly #notes = new Set<string>()
  readonly logger: Logger = {
    debug() {},
    info() {},
    warn: (event, fields) => this.#told(event, fields),
    error: (event, fields) => this.#told(event, fields),
    isDebugging: () => false,
  }

  asked(
    layer: CatalogLayer,
    { result, durationMs }: { readonly result: string; readonly durationMs: number },
  ): void {
    // The memory of this process is empty, and says nothing about that of a proxy; what the file
    // lists is told with the name.
    if (layer === 'memory' || layer === 'file') return
    const answers = this.#answers.get(layer) ?? []
    this.#answers.set(layer, [...answers, `${result} in ${durationMs.toFixed(1)} ms`])
  }

  note(text: string): void {
    this.#notes.add(text)
  }

  lines(): readonly Line[] {
    const asked = Array.from(this.#answers, ([layer, answers]) => askedLine(layer, answers))
    return [...asked, ...Array.from(this.#notes, (text): Line => ['note', text])]
  }

  #told(event: string, fields: LogFields = {}): void {
    this.note([event, ...Object.values(fields).map(String)].join(': '))
  }
}
