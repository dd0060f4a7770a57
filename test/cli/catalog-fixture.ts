import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import type { SealingKey } from '../../src/catalog/sealing/key-ring.ts'
import type { CommandIo, ExitCode } from '../../src/cli/command.ts'

type Command = (args: readonly string[], io: CommandIo) => Promise<ExitCode>

/** What a command came to. */
export interface CommandResult {
  readonly exitCode: ExitCode
  readonly out: string
  readonly errors: string
}

/** A configuration file with a catalog and nothing else. */
export function configWith(catalog: {
  readonly keys?: readonly SealingKey[]
  readonly postgres?: { readonly url: string }
}): string {
  const file = join(mkdtempSync(join(tmpdir(), 'pgusher-')), 'pgusher.yaml')
  writeFileSync(file, JSON.stringify({ catalog }))
  return file
}

/** Runs a command on what stands on its stdin. */
export async function runCommand(
  command: Command,
  args: readonly string[],
  stdin: readonly (string | Buffer)[] = [],
): Promise<CommandResult> {
  let out = ''
  let errors = ''
  const exitCode = await command(args, {
    env: {},
    stdin: Readable.from(stdin),
    stdout: {
      write(text: string) {
        out += text
      },
    },
    stderr: {
      write(text: string) {
        errors += text
      },
    },
  })
  return { exitCode, out, errors }
}
