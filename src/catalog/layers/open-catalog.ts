import type { BreakerState } from '../../base/breaker.ts'
import type { Clock } from '../../base/clock.ts'
import type { Logger } from '../../base/logger.ts'
import type { RecordRefusedError } from '../catalog-errors.ts'
import type { CatalogObserver, ChangeSource } from '../catalog-observer.ts'
import type { CatalogChange } from '../change.ts'
import { RecordBuilder } from '../documents/record-builder.ts'
import type { RecordDefaults } from '../documents/record-defaults.ts'
import type { SharedServer } from '../documents/tenant-records.ts'
import type { FileCatalog } from '../file-catalog.ts'
import { ChangeListener } from '../postgres/change-listener.ts'
import type { OpenSocket } from '../postgres/connect-pg.ts'
import { PostgresSource } from '../postgres/postgres-source.ts'
import type { TenantRecord } from '../records.ts'
import { RedisCache } from '../redis/redis-cache.ts'
import type { RedisCacheOptions } from '../redis/redis-options.ts'
import type { ServerTarget } from '../route.ts'
import { KeyRing, type SealingKey } from '../sealing/key-ring.ts'
import { LayeredCatalog } from './layered-catalog.ts'
import { type LookupOptions, Lookups } from './lookups.ts'
import { MemoryCache, type MemoryOptions } from './memory-cache.ts'
import { TemplateProver } from './template-prover.ts'

/** Where the catalog is, and how it is asked. */
export interface CatalogOptions extends LookupOptions, MemoryOptions {
  readonly postgres: {
    readonly target: ServerTarget
    /** Asked in place of the tables of schema `pgusher`. */
    readonly query: string | undefined
    readonly maxConnections: number
    readonly timeoutMs: number
  }
  /** `undefined` where there is none. */
  readonly redis: RedisCacheOptions | undefined
  /** The first one seals, all of them open. */
  readonly keys: readonly SealingKey[]
}

/** What stands around the catalog. */
export interface CatalogParts {
  readonly file: FileCatalog
  readonly defaults: RecordDefaults
  /** Of the file, for what a query of one's own finds. */
  readonly servers: ReadonlyMap<string, SharedServer>
  readonly observer: CatalogObserver
  readonly logger: Logger
  readonly clock: Clock
  readonly openSocket: OpenSocket
  /** @throws when nobody can say whether what a record leads to is there. */
  probe(record: TenantRecord): Promise<'present' | 'absent'>
  /** Something has changed; `resolve` sees it already. */
  told(change: CatalogChange): void
}

type Teller = Exclude<ChangeSource, 'file'>

/** How the layers do. */
export interface CatalogHealth {
  /** Whether Redis or the source was there to be asked, at any time since the start. */
  readonly hasAnswered: boolean
  readonly isSourceUp: boolean
  /** `undefined` where there is none. */
  readonly isRedisUp: boolean | undefined
  readonly breakers: Readonly<Record<'redis' | 'postgres', BreakerState['kind']>>
  readonly entries: number
  readonly bytes: number
}

/** A catalog that is asked over connections of its own. */
export interface OpenCatalog {
  readonly catalog: LayeredCatalog
  health(): CatalogHealth
  /** From now on records are made with other defaults and servers. */
  renew(next: Pick<CatalogParts, 'defaults' | 'servers'>): void
  close(): void
}

/**
 * Opens the layers and joins them. Resolves when changes are listened to, or could not be at first:
 * a catalog that can't be reached does not keep the proxy from starting.
 */
export async function openCatalog(
  options: CatalogOptions,
  parts: CatalogParts,
): Promise<OpenCatalog> {
  const { layers, memory, lookups, catalog, renew } = joinLayers(options, parts)
  await layers.listener.start()
  let hasAnswered = layers.listener.isUp
  return {
    catalog,
    renew,
    health() {
      const isSourceUp = layers.listener.isUp
      const isRedisUp = layers.cache?.isUp
      // Kept: who has no sessions yet must not be taken for useless when either of them is lost.
      hasAnswered ||= lookups.hasAnswered || isSourceUp || isRedisUp === true
      const { breakers } = lookups
      return {
        hasAnswered,
        isSourceUp,
        isRedisUp,
        breakers,
        entries: memory.count,
        bytes: memory.bytes,
      }
    },
    close() {
      layers.listener.close()
      layers.source.close()
      layers.cache?.close()
    },
  }
}

/** Whatever is asked, and told of changes. */
interface Layers {
  readonly source: PostgresSource
  readonly cache: RedisCache | undefined
  readonly listener: ChangeListener
}

function joinLayers(options: CatalogOptions, parts: CatalogParts) {
  const { clock, observer, logger, file } = parts
  const ring = new KeyRing(options.keys)
  const home = options.postgres.target
  const newBuilder = ({ defaults, servers }: Pick<CatalogParts, 'defaults' | 'servers'>) =>
    new RecordBuilder({ defaults, servers, ring, home })
  let builder = newBuilder(parts)
  const refused = (error: RecordRefusedError) => {
    observer.recordRefused(error)
    logger.warn('record refused', { code: error.code, detail: error.message })
  }
  const layers = openLayers(options, parts, {
    ring,
    heard(change, via) {
      lookups.heard(change, via)
      parts.told(change)
    },
  })
  const memory = new MemoryCache(options, clock)
  const prover = new TemplateProver({
    build: (name, document) => builder.tenant(name, document),
    probe: parts.probe,
    clock,
  })
  const examine: TemplateProver['examine'] = (name, entry) => prover.examine(name, entry)
  const lookups = new Lookups({ ...layers, memory, observer, clock, examine, refused }, options)
  const catalog = new LayeredCatalog({ file, lookups, builder, observer, refused })
  const renew: OpenCatalog['renew'] = (next) => {
    builder = newBuilder(next)
    catalog.renew(builder)
  }
  return { layers, memory, lookups, catalog, renew }
}

function openLayers(
  { postgres, redis }: CatalogOptions,
  parts: CatalogParts,
  { ring, heard }: { readonly ring: KeyRing; heard(change: CatalogChange, via: Teller): void },
): Layers {
  const { clock, logger, openSocket } = parts
  const query = postgres.query === undefined ? undefined : { text: postgres.query, keyRing: ring }
  return {
    source: new PostgresSource({ ...postgres, query }, { clock, openSocket }),
    cache:
      redis &&
      new RedisCache(
        redis,
        redisParts(parts, (change) => heard(change, 'redis')),
      ),
    listener: new ChangeListener(postgres, {
      clock,
      logger,
      openSocket,
      told: (change) => heard(change, 'postgres'),
    }),
  }
}

function redisParts(
  { clock, logger }: CatalogParts,
  told: (change: CatalogChange) => void,
): ConstructorParameters<typeof RedisCache>[1] {
  return {
    clock,
    told,
    observer: {
      nodeUp: (address) => logger.info('redis up', { address }),
      nodeLost: (address, reason) => logger.warn('redis lost', { address, detail: reason }),
      valueUnreadable: (key, reason) =>
        logger.warn('redis value unreadable', { key, detail: reason }),
    },
  }
}
