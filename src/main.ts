#!/usr/bin/env -S node --max-semi-space-size=4
import { runCatalog } from './cli/catalog.ts'
import { runCheck } from './cli/check.ts'
import { type CommandIo, ExitCode } from './cli/command.ts'
import { runDrain } from './cli/drain.ts'
import { runExplain } from './cli/explain.ts'
import { runHealth } from './cli/health.ts'
import { runKit } from './cli/kit.ts'
import { serve } from './cli/serve.ts'
import { printSettings } from './cli/settings.ts'
import { processEnvironment } from './config/sources/process-environment.ts'

const USAGE = `Usage: pgusher COMMAND [OPTIONS]

  serve --config FILE   serve clients until SIGTERM
  check --config FILE   read the configuration and show what it leads to
  drain [--config FILE] [--timeout SECONDS]
                        have a running proxy send its clients away, and wait for that
  health [--config FILE]
                        ask the proxy of this machine whether it is ready
  explain [--config FILE] CONNINFO
                        show where a connection string leads, or why it is refused
  catalog init [--config FILE | --url URL] [--reader ROLE] [--print]
                        create the tables of the catalog, or bring them up to date
  catalog rekey --config FILE
                        seal all passwords of the catalog with the newest key
  catalog seal --config FILE (--tenant NAME | --server NAME) [OPTIONS]
                        seal a password, read from standard input
  kit (--url URL | --print) [--setting NAME]
                        install the SQL kit for sealed row tenancy, or print it
  kit key add | expire --id ID --url URL [--at TIME]
                        add a key to the kit, read from standard input, or end one
  settings              list every setting with its environment variable and default

FILE may also be named by PGUSHER_CONFIG.
`

async function run(command: string | undefined, args: readonly string[]): Promise<ExitCode> {
  const io: CommandIo = {
    env: processEnvironment,
    // Not opened unless a command reads it.
    get stdin() {
      return process.stdin
    },
    stdout: process.stdout,
    stderr: process.stderr,
  }
  switch (command) {
    case 'serve':
      return serve(args, io, process)
    case 'check':
      return runCheck(args, io)
    case 'drain':
      return runDrain(args, io)
    case 'health':
      return runHealth(args, io)
    case 'explain':
      return runExplain(args, io)
    case 'catalog':
      return runCatalog(args, io)
    case 'kit':
      return runKit(args, io)
    case 'settings':
      return printSettings(io)
    case 'help':
    case '--help':
      io.stdout.write(USAGE)
      return ExitCode.ok
    default:
      io.stderr.write(USAGE)
      return ExitCode.usage
  }
}

const [command, ...args] = process.argv.slice(2)
// Set, not called: what was written is flushed, and whatever still runs is a bug that shows.
process.exitCode = await run(command, args)
process.exit()
