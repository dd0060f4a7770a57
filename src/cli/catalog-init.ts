import { migrate, migrationScript, readerGrants } from '../catalog/postgres/schema/migrate.ts'
import { loadConfig } from '../config/load-config.ts'
import {
  type CatalogDatabase,
  catalogDatabase,
  namedDatabase,
  overDatabase,
} from './catalog-connection.ts'
import { type CommandIo, ExitCode, namedConfigFile, readOptions, reportFailure } from './command.ts'

const OPTIONS = {
  config: { type: 'string' },
  url: { type: 'string' },
  reader: { type: 'string' },
  print: { type: 'boolean' },
} as const

/**
 * `pgusher catalog init [--config FILE | --url URL] [--reader ROLE] [--print]`: creates the schema
 * `pgusher` or brings it up to date, and lets a role read it; or prints the SQL that would.
 *
 * @param args - What follows `init` on the command line.
 */
export async function runInit(args: readonly string[], io: CommandIo): Promise<ExitCode> {
  try {
    const { config, url, reader, print } = readOptions(args, OPTIONS)
    const grants = reader === undefined ? '' : readerGrants(reader)
    if (print === true) {
      io.stdout.write(`${migrationScript()}${grants}`)
      return ExitCode.ok
    }
    const database = url === undefined ? configured(config, io) : namedDatabase(url)
    await overDatabase(database, async (client) => {
      const steps = (await migrate(client)).map(({ name }) => name)
      const done = steps.length === 0 ? 'is up to date' : `set up: ${steps.join(', ')}`
      io.stdout.write(`schema pgusher ${done}\n`)
      if (reader === undefined) return
      await client.query(grants)
      io.stdout.write(`role ${reader} may read it\n`)
    })
    return ExitCode.ok
  } catch (error) {
    return reportFailure(error, io)
  }
}

function configured(file: string | undefined, { env }: CommandIo): CatalogDatabase {
  return catalogDatabase(loadConfig({ file: namedConfigFile(file, env), env }))
}
