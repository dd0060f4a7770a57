import { bind, execute, flush, frame, parse, query, sendCancel } from '../../support/raw-client.ts'
import type { PoolMode } from './pair.ts'
import type { ProtocolName } from './protocols.ts'
import type { Stage } from './stage.ts'
import type { Impatience } from './town.ts'

/** How a session ends its hold on the server connection. */
export interface WayOut {
  readonly name: string
  /** Makes the state and goes. The first client is gone, or free of its connection, behind it. */
  leave(stage: Stage): Promise<void>
  /** The state stands in a transaction of its own: not for what may not. */
  readonly isInTransaction?: true
  /** What was made counts. */
  readonly commits?: true
  /** The server connection lives on, unless the proxy happens to be asking it something. */
  readonly keeps?: true
  /** SQLSTATEs that it brings about itself. */
  readonly brings?: readonly string[]
  /** @defaultValue all */
  readonly protocols?: readonly ProtocolName[]
  /** @defaultValue all */
  readonly modes?: readonly PoolMode[]
  /** The first tenant is one with little time. */
  readonly impatience?: Impatience
  /** It ends the proxy, while the second tenant waits for the server connection of the first. */
  readonly endsProxy?: true
  /** Takes all back that DISCARD ALL can, and stays: not for what pins for good. */
  readonly discards?: true
  /** Takes long: it is tried with one of so many states. @defaultValue `1` */
  readonly share?: number
}

const ERROR = '22012'
const CANCELED = '57014'
const FAILED_TRANSACTION = '25P02'

const ENDED: readonly WayOut[] = [
  {
    name: 'a commit',
    isInTransaction: true,
    commits: true,
    keeps: true,
    async leave(stage) {
      await stage.make({ before: ['BEGIN'], behind: ['COMMIT'] })
      await stage.leavePolitely()
    },
  },
  {
    name: 'no transaction',
    commits: true,
    keeps: true,
    async leave(stage) {
      await stage.make()
      await stage.leavePolitely()
    },
  },
  {
    name: 'a rollback',
    isInTransaction: true,
    keeps: true,
    async leave(stage) {
      await stage.make({ before: ['BEGIN'], behind: ['ROLLBACK'] })
      await stage.leavePolitely()
    },
  },
  {
    name: 'a rollback to a savepoint',
    isInTransaction: true,
    keeps: true,
    async leave(stage) {
      const behind = ['ROLLBACK TO SAVEPOINT here', 'COMMIT']
      await stage.make({ before: ['BEGIN', 'SAVEPOINT here'], behind })
      await stage.leavePolitely()
    },
  },
  {
    name: 'an error in the transaction',
    isInTransaction: true,
    keeps: true,
    brings: [ERROR],
    async leave(stage) {
      await stage.make({ before: ['BEGIN'], behind: ['SELECT 1/0'] })
      await stage.leavePolitely()
    },
  },
  {
    name: 'an error behind it',
    commits: true,
    keeps: true,
    async leave(stage) {
      await stage.make()
      await stage.first.ask(query('SELECT 1/0'))
      await stage.leavePolitely()
    },
  },
  {
    name: 'a goodbye right behind it',
    commits: true,
    leave: (stage) => stage.make({ goes: true }),
  },
  {
    name: 'a time limit of the server',
    isInTransaction: true,
    keeps: true,
    brings: [CANCELED, FAILED_TRANSACTION],
    async leave(stage) {
      const behind = ['SET LOCAL statement_timeout = 1', 'SELECT pg_sleep(60)']
      await stage.make({ before: ['BEGIN'], behind })
      await stage.leavePolitely()
    },
  },
]

const GONE: readonly WayOut[] = [
  {
    name: 'an RST',
    commits: true,
    keeps: true,
    async leave(stage) {
      await stage.make()
      await stage.first.reset()
    },
  },
  {
    name: 'an RST in a transaction',
    isInTransaction: true,
    async leave(stage) {
      await stage.make({ before: ['BEGIN'] })
      stage.mustReplaceIf(stage.first.transactionStatus !== 'I')
      await stage.first.reset()
    },
  },
  {
    name: 'gone in a transaction',
    isInTransaction: true,
    async leave(stage) {
      await stage.make({ before: ['BEGIN'] })
      stage.mustReplaceIf(stage.first.transactionStatus !== 'I')
      await stage.first.vanish()
    },
  },
  {
    name: 'gone amid a COPY',
    async leave(stage) {
      const { client } = stage.first
      await stage.make()
      client.send(query('COPY shared.inbox FROM STDIN'))
      const answer = await client.next()
      stage.mustReplaceIf(answer?.code === 'G')
      client.send(frame('d', Buffer.from('half a li')))
      await stage.first.vanish()
    },
  },
  {
    name: 'gone amid a pipeline',
    async leave(stage) {
      const { client } = stage.first
      await stage.make()
      client.send(parse('', 'SELECT 1'), bind('', ''), execute(), flush)
      await client.upTo('C')
      stage.mustReplaceIf(!client.isClosed)
      await stage.first.vanish()
    },
  },
]

const HASTENED: readonly WayOut[] = [
  {
    name: 'a cancel',
    commits: true,
    async leave(stage) {
      await stage.make()
      let isAnswered = false
      const answer = stage.first.ask(query(stage.endless)).finally(() => {
        isAnswered = true
      })
      // One that comes before the query runs cancels nothing.
      while (!isAnswered) await sendCancel(stage.port, stage.first.key)
      await answer
      await stage.leavePolitely()
    },
  },
  {
    name: 'too long idle in a transaction',
    impatience: 'hasty',
    protocols: ['simple'],
    isInTransaction: true,
    async leave(stage) {
      await stage.make({ before: ['BEGIN'], asOne: true })
      const isInTransaction = stage.first.transactionStatus !== 'I'
      stage.mustReplaceIf(isInTransaction)
      if (isInTransaction) await stage.first.client.toEnd()
      else await stage.leavePolitely()
    },
  },
  {
    name: 'a request that takes too long',
    impatience: 'brief',
    brings: [CANCELED],
    share: 5,
    async leave(stage) {
      await stage.make()
      await stage.first.ask(query(stage.endless))
      await stage.leavePolitely()
    },
  },
  {
    name: 'a drain',
    endsProxy: true,
    isInTransaction: true,
    commits: true,
    share: 3,
    async leave(stage) {
      await stage.make({ before: ['BEGIN'] })
      await stage.queueSecond()
      stage.drain()
      await stage.first.ask(query('COMMIT'))
      await stage.first.client.toEnd()
    },
  },
]

/** The key of a session that has no server connection any more. */
const KEYS: readonly WayOut[] = [
  {
    name: 'a cancel behind the end',
    commits: true,
    share: 3,
    async leave(stage) {
      await stage.make()
      await stage.leavePolitely()
      await stage.cancelWhileTheOtherRuns()
    },
  },
  {
    name: 'a cancel behind the release',
    modes: ['transaction'],
    discards: true,
    share: 3,
    async leave(stage) {
      await stage.make()
      // Whatever it is pinned for.
      await stage.first.ask(query('DISCARD ALL'))
      await stage.cancelWhileTheOtherRuns()
      await stage.leavePolitely()
    },
  },
]

export const WAYS_OUT: readonly WayOut[] = [...ENDED, ...GONE, ...HASTENED, ...KEYS]
