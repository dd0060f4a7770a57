import { addKitKey, expireKitKey, installedSetting } from '../lifecycle/sql-kit/kit-database.ts'
import { kitScript } from '../lifecycle/sql-kit/kit-script.ts'
import { namedDatabase, overDatabase } from './catalog-connection.ts'
import { type CommandIo, ExitCode, readOptions, reportFailure, UsageError } from './command.ts'
import { readSecretLine } from './secret-line.ts'

const INSTALL_OPTIONS = {
  setting: { type: 'string' },
  url: { type: 'string' },
  print: { type: 'boolean' },
} as const

const KEY_OPTIONS = {
  id: { type: 'string' },
  url: { type: 'string' },
  at: { type: 'string' },
} as const

const STANDARD_SETTING = 'app.tenant_id'
/** A setting that extensions may have: with a dot, unlike those of Postgres itself. */
const SETTING = /^[A-Za-z_][\w$]*(\.[A-Za-z_][\w$]*)+$/
const KEY_ID = /^[\w-]{1,32}$/
const KEY = /^[A-Za-z0-9+/]{43}=$/

/**
 * `pgusher kit (--url URL | --print) [--setting NAME]` installs or prints the SQL kit;
 * `pgusher kit key add | expire --id ID --url URL [--at TIME]` tends its keys.
 *
 * @param args - What follows `kit` on the command line.
 */
export async function runKit(args: readonly string[], io: CommandIo): Promise<ExitCode> {
  try {
    const told = await carryOut(args, io.stdin)
    io.stdout.write(told)
    return ExitCode.ok
  } catch (error) {
    return reportFailure(error, io)
  }
}

/** @returns what is told. */
function carryOut(args: readonly string[], stdin: CommandIo['stdin']): Promise<string> {
  const [command, action, ...others] = args
  if (command !== 'key') return install(args)
  switch (action) {
    case 'add':
      return addKey(others, stdin)
    case 'expire':
      return expireKey(others)
    default:
      throw new UsageError('say what to do: kit key add or expire')
  }
}

async function install(args: readonly string[]): Promise<string> {
  const { setting, url, print } = readOptions(args, INSTALL_OPTIONS)
  if (setting !== undefined && !SETTING.test(setting)) {
    throw new UsageError('--setting is a name with a dot, as tenancy.setting has it')
  }
  if (print === true) return kitScript(setting ?? STANDARD_SETTING)
  return overDatabase(namedDatabase(url), async (client) => {
    const name = setting ?? (await installedSetting(client)) ?? STANDARD_SETTING
    await client.query(kitScript(name))
    return `the kit is installed; tokens are read from ${name}\n`
  })
}

async function addKey(args: readonly string[], stdin: CommandIo['stdin']): Promise<string> {
  const { id, expiresAt, database } = readKeyOptions(args)
  const key = await readSecretLine(stdin)
  if (!KEY.test(key)) throw new UsageError('a key is of 32 bytes, in base64')
  await overDatabase(database, (client) => addKitKey(client, { id, key, expiresAt }))
  return `key ${id} is valid${expiresAt === undefined ? '' : ` until ${expiresAt.toISOString()}`}\n`
}

async function expireKey(args: readonly string[]): Promise<string> {
  const { id, expiresAt, database } = readKeyOptions(args)
  await overDatabase(database, (client) => expireKitKey(client, { id, expiresAt }))
  return `key ${id} expires ${expiresAt === undefined ? 'now' : `at ${expiresAt.toISOString()}`}\n`
}

function readKeyOptions(args: readonly string[]) {
  const { id, url, at } = readOptions(args, KEY_OPTIONS)
  if (id === undefined || !KEY_ID.test(id)) {
    throw new UsageError('name the key by --id: 1 to 32 letters, digits, "_" and "-"')
  }
  const expiresAt = at === undefined ? undefined : new Date(at)
  if (Number.isNaN(expiresAt?.getTime())) throw new UsageError('--at is a time in ISO 8601')
  return { id, expiresAt, database: namedDatabase(url) }
}
