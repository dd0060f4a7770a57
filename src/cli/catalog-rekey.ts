import { type RekeyCounts, rekey } from '../catalog/sealing/rekey.ts'
import { SecretsTable } from '../catalog/sealing/secrets-table.ts'
import { loadConfig } from '../config/load-config.ts'
import { overCatalog, sealingKeys } from './catalog-connection.ts'
import { type CommandIo, configFile, ExitCode, reportFailure } from './command.ts'

/**
 * `pgusher catalog rekey --config FILE`: seals all passwords of the catalog's tables with the first
 * of `catalog.keys`, while proxies run. It fails when some do not open, which it names.
 *
 * @param args - What follows `rekey` on the command line.
 */
export async function runRekey(args: readonly string[], io: CommandIo): Promise<ExitCode> {
  try {
    const config = loadConfig({ file: configFile(args, io.env), env: io.env })
    const ring = sealingKeys(config)
    const refused = ({ message }: Error) => void io.stderr.write(`pgusher: ${message}\n`)
    return await overCatalog(config, async (client) => {
      let isWhole = true
      for (const kind of ['server', 'tenant'] as const) {
        const counts = await rekey(new SecretsTable(client, kind), { ring, refused })
        io.stdout.write(summary(kind, counts, ring.sealingKeyId))
        if (counts.refused > 0) isWhole = false
      }
      return isWhole ? ExitCode.ok : ExitCode.failure
    })
  } catch (error) {
    return reportFailure(error, io)
  }
}

function summary(kind: string, { resealed, kept, refused }: RekeyCounts, keyId: string): string {
  return `${kind}s: ${resealed} sealed with ${keyId}, ${kept} were already, ${refused} do not open\n`
}
