import { changePassword } from '../catalog/sealing/change-password.ts'
import type { SealContext } from '../catalog/sealing/key-ring.ts'
import { urlPlaceOf } from '../catalog/sealing/password-places.ts'
import { SecretsTable } from '../catalog/sealing/secrets-table.ts'
import type { Config } from '../config/config.ts'
import { loadConfig } from '../config/load-config.ts'
import { overCatalog, sealingKeys } from './catalog-connection.ts'
import {
  type CommandIo,
  ExitCode,
  namedConfigFile,
  readOptions,
  reportFailure,
  UsageError,
} from './command.ts'
import { readSecretLine } from './secret-line.ts'

/** What is to be sealed, and what for. */
interface SealOrder extends Pick<SealContext, 'kind' | 'name' | 'place'> {
  readonly config: string | undefined
  /** `write` and `remove` change the row in the catalog; a version gives an envelope for it. */
  readonly goal: 'write' | 'remove' | { readonly version: number }
}

const OPTIONS = {
  config: { type: 'string' },
  tenant: { type: 'string' },
  server: { type: 'string' },
  place: { type: 'string' },
  version: { type: 'string' },
  write: { type: 'boolean' },
  remove: { type: 'boolean' },
} as const

/**
 * `pgusher catalog seal --config FILE (--tenant NAME | --server NAME) [--place PLACE]
 * (--version N | --write | --remove)`: reads a password from stdin and prints its envelope for that
 * version of the row's secrets, or writes it into the row.
 *
 * @param args - What follows `seal` on the command line.
 */
export async function runSeal(args: readonly string[], io: CommandIo): Promise<ExitCode> {
  try {
    const order = readOrder(args)
    const config = loadConfig({ file: namedConfigFile(order.config, io.env), env: io.env })
    io.stdout.write(`${await seal(order, config, io)}\n`)
    return ExitCode.ok
  } catch (error) {
    return reportFailure(error, io)
  }
}

/** @returns what is told. */
async function seal(order: SealOrder, config: Config, { stdin }: CommandIo): Promise<string> {
  const { kind, name, place, goal } = order
  const ring = sealingKeys(config)
  if (typeof goal === 'object') {
    return ring.seal(await readSecretLine(stdin), { kind, name, place, ...goal })
  }
  const secret = goal === 'remove' ? undefined : await readSecretLine(stdin)
  const version = await overCatalog(config, (client) =>
    changePassword(new SecretsTable(client, kind), { name, place, secret }, ring),
  )
  const change = secret === undefined ? 'removed' : `sealed with ${ring.sealingKeyId}`
  return `${kind} ${name}: ${place} ${change}, secrets_version ${version}`
}

function readOrder(args: readonly string[]): SealOrder {
  const { config, tenant, server, place, ...goals } = readOptions(args, OPTIONS)
  const names = [tenant, server].filter((name) => name !== undefined && name !== '')
  const [name] = names
  if (name === undefined || names.length > 1) throw new UsageError('give --tenant or --server')
  const kind = tenant === undefined ? 'server' : 'tenant'
  return { config, kind, name, place: readPlace(place, kind), goal: readGoal(goals) }
}

function readPlace(place: string | undefined, kind: SealContext['kind']): string {
  const own = urlPlaceOf(kind)
  if (place === undefined) return own
  const places = [own, 'authQuery.url', ...(kind === 'tenant' ? ['serverLogin'] : [])]
  if (places.includes(place) || /^users\../s.test(place)) return place
  throw new UsageError(`--place of a ${kind} is ${places.join(', ')} or users.LOGIN`)
}

interface Goals {
  readonly version?: string | undefined
  readonly write?: boolean | undefined
  readonly remove?: boolean | undefined
}

function readGoal({ version, write = false, remove = false }: Goals): SealOrder['goal'] {
  if ([version !== undefined, write, remove].filter(Boolean).length !== 1) {
    throw new UsageError('give one of --version N, --write and --remove')
  }
  if (write) return 'write'
  if (remove) return 'remove'
  const number = /^[1-9]\d{0,9}$/.test(version ?? '') ? Number(version) : Number.NaN
  if (number <= 2_147_483_647) return { version: number }
  throw new UsageError('--version is the secrets_version that the row will have, 1 at first')
}
