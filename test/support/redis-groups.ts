import { RedisServer } from './redis.ts'
import { until } from './until.ts'

const SLOTS = 16_384
/** Of a cluster's node, and of a sentinel's master: after so long without a word it counts as lost. */
const LOST_AFTER_MS = 500

/** Masters that share the slots, and replicas of them. */
export interface RedisCluster {
  readonly masters: readonly RedisServer[]
  /** Of the first master. */
  readonly replicas: readonly RedisServer[]
  stop(): Promise<void>
}

/** A master, its replica, and one sentinel that watches them. */
export interface RedisSentinels {
  readonly master: RedisServer
  readonly replica: RedisServer
  readonly sentinel: RedisServer
  stop(): Promise<void>
}

/** Starts a cluster of three masters. Each serves its part when the others are lost. */
export async function startRedisCluster({ replicas = 0 } = {}): Promise<RedisCluster> {
  const servers = await Promise.all(Array.from({ length: 3 + replicas }, startNode))
  const masters = servers.slice(0, 3)
  const cluster: RedisCluster = {
    masters,
    replicas: servers.slice(3),
    stop: () => stopAll(servers),
  }
  try {
    await join(cluster)
    return cluster
  } catch (error) {
    await cluster.stop()
    throw error
  }
}

/** Starts a master `mymaster` with one replica, and a sentinel that alone decides on a failover. */
export async function startRedisSentinels(): Promise<RedisSentinels> {
  const master = await RedisServer.start()
  const replica = await RedisServer.start({
    args: ['--replicaof', '127.0.0.1', String(master.port)],
  })
  await until(async () => (await infoOf(replica)).includes('master_link_status:up'))
  const sentinel = await RedisServer.start({
    sentinel: [
      `sentinel monitor mymaster 127.0.0.1 ${master.port} 1`,
      `sentinel down-after-milliseconds mymaster ${LOST_AFTER_MS}`,
      'sentinel failover-timeout mymaster 3000',
    ].join('\n'),
  })
  await until(async () =>
    JSON.stringify(await sentinel.run('SENTINEL', 'REPLICAS', 'mymaster')).includes(
      `"${replica.port}"`,
    ),
  )
  return { master, replica, sentinel, stop: () => stopAll([sentinel, replica, master]) }
}

function startNode(): Promise<RedisServer> {
  return RedisServer.start({
    args: [
      ...['--cluster-enabled', 'yes', '--cluster-node-timeout', String(LOST_AFTER_MS)],
      ...['--cluster-require-full-coverage', 'no', '--cluster-replica-validity-factor', '0'],
    ],
  })
}

async function join({ masters, replicas }: RedisCluster): Promise<void> {
  const [first] = masters
  if (first === undefined) return
  for (const [at, master] of masters.entries()) {
    const range = [at, at + 1].map((part) => Math.floor((SLOTS * part) / masters.length))
    await master.run('CLUSTER', 'ADDSLOTSRANGE', String(range[0]), String((range[1] ?? 0) - 1))
    await master.run('CLUSTER', 'SET-CONFIG-EPOCH', String(at + 1))
  }
  const all = [...masters, ...replicas]
  for (const node of all) await node.run('CLUSTER', 'MEET', '127.0.0.1', String(first.port))
  const id = String(await first.run('CLUSTER', 'MYID'))
  await until(async () => {
    const views = await Promise.all(all.map((node) => node.run('CLUSTER', 'NODES')))
    return views.every((view) => String(view).trim().split('\n').length === all.length)
  })
  for (const replica of replicas) {
    await replica.run('CLUSTER', 'REPLICATE', id)
    await until(async () => (await infoOf(replica)).includes('master_link_status:up'))
  }
  for (const node of all) await until(() => isWhole(node, masters.length))
}

async function isWhole(node: RedisServer, size: number): Promise<boolean> {
  const info = String(await node.run('CLUSTER', 'INFO'))
  return info.includes('cluster_state:ok') && info.includes(`cluster_size:${size}`)
}

async function infoOf(server: RedisServer): Promise<string> {
  return String(await server.run('INFO', 'replication'))
}

async function stopAll(servers: readonly RedisServer[]): Promise<void> {
  await Promise.all(servers.map((server) => server.stop()))
}
