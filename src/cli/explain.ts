import { parseArgs } from 'node:util'
import { MalformedConninfoError } from '../admin/admin-errors.ts'
import { type Conninfo, readConninfo } from '../admin/explain/conninfo.ts'
import { pageOf } from '../admin/explain/explain-lines.ts'
import { explainRoute } from '../admin/explain/explain-route.ts'
import { loadConfig } from '../config/load-config.ts'
import { routePolicy } from '../config/room-options.ts'
import { type CommandIo, ExitCode, namedConfigFile, reportFailure, UsageError } from './command.ts'
import { withResolver } from './explain-catalog.ts'

/**
 * `pgusher explain [--config FILE] CONNINFO`: shows which tenant a connection string names, where
 * its sessions go and how, or why they are refused. It asks the catalog, and connects to no server of
 * a tenant.
 *
 * @param args - What follows `explain` on the command line.
 */
export async function runExplain(args: readonly string[], io: CommandIo): Promise<ExitCode> {
  try {
    const { file, text } = readArguments(args, io)
    const conninfo = readConnectionString(text)
    const config = loadConfig({ file, env: io.env })
    const { isAdmitted, lines } = await withResolver(config, (resolver) =>
      explainRoute(conninfo, routePolicy(config), resolver),
    )
    io.stdout.write(pageOf(lines))
    return isAdmitted ? ExitCode.ok : ExitCode.failure
  } catch (error) {
    return reportFailure(error, io)
  }
}

/** @throws UsageError - it is none. */
function readConnectionString(text: string): Conninfo {
  try {
    return readConninfo(text)
  } catch (cause) {
    if (!(cause instanceof MalformedConninfoError)) throw cause
    throw new UsageError(`${cause.message}: ${cause.hint}`, { cause })
  }
}

function readArguments(
  args: readonly string[],
  { env }: CommandIo,
): { readonly file: string; readonly text: string } {
  const { values, positionals } = parse(args)
  const [text, ...more] = positionals
  if (text === undefined || more.length > 0) {
    throw new UsageError("name one connection string, such as 'postgresql://app.acme@host/db'")
  }
  return { file: namedConfigFile(values.config, env), text }
}

function parse(args: readonly string[]) {
  try {
    const options = { config: { type: 'string' } } as const
    return parseArgs({ args: [...args], options, allowPositionals: true })
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error })
  }
}
