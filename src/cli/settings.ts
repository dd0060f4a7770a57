import { settingPaths } from '../config/sources/setting-paths.ts'
import { type CommandIo, ExitCode } from './command.ts'

/** `pgusher settings`: a line for each setting: path, environment variable, default. */
export function printSettings({ stdout }: CommandIo): ExitCode {
  for (const { path, variable, default: value } of settingPaths()) {
    stdout.write(`${path}\t${variable ?? ''}\t${value ?? ''}\n`)
  }
  return ExitCode.ok
}
