import { ProxyError } from '../base/proxy-error.ts'
import { ConfigError } from '../config/config-errors.ts'
import { loadConfig } from '../config/load-config.ts'
import { type RunningProxy, startProxy } from '../proxy.ts'
import { createLogger, type LeveledLogger } from '../telemetry/logger.ts'
import { type CommandIo, configFile, ExitCode, reportFailure } from './command.ts'

/** Signals, as the process hands them on. */
export interface SignalSource {
  on(signal: 'SIGTERM' | 'SIGINT' | 'SIGHUP', action: () => void): unknown
}

/** `pgusher serve --config FILE`: serves until it is told to end. */
export async function serve(
  args: readonly string[],
  io: CommandIo,
  signals: SignalSource,
): Promise<ExitCode> {
  let sources: Parameters<typeof loadConfig>[0]
  let config: ReturnType<typeof loadConfig>
  try {
    sources = { file: configFile(args, io.env), env: io.env }
    config = loadConfig(sources)
  } catch (error) {
    return reportFailure(error, io)
  }
  const logger = createLogger({ level: config.log.level })
  let proxy: RunningProxy
  try {
    proxy = await startProxy(config, logger)
  } catch (error) {
    if (!(error instanceof ProxyError)) throw error
    logger.error('start failed', { code: error.code, detail: error.message })
    return ExitCode.failure
  }
  logger.info('serving', {
    address: `${config.listen.host}:${proxy.port}`,
    admin: `http://${config.admin.host}:${proxy.adminPort}`,
    tenants: config.records.tenants.length,
  })
  signals.on('SIGHUP', () => reload(proxy, sources, logger))
  obey(proxy, signals, logger)
  const outcome = await proxy.ended
  return outcome === 'killed' ? ExitCode.failure : ExitCode.ok
}

/** A bad configuration is refused with its reasons; the old one stays in force. */
function reload(
  proxy: RunningProxy,
  sources: Parameters<typeof loadConfig>[0],
  logger: LeveledLogger,
): void {
  try {
    proxy.reload(loadConfig(sources))
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    logger.error('configuration refused', { detail: error.message })
  }
}

/**
 * The first SIGTERM or SIGINT lets transactions finish, or waits for the drain that somebody began
 * otherwise; a second one ends at once.
 */
function obey(proxy: RunningProxy, signals: SignalSource, logger: LeveledLogger): void {
  let isTold = false
  const told = (signal: 'SIGTERM' | 'SIGINT') => {
    if (isTold) logger.warn('ended at once', { signal })
    proxy.shutdown(isTold ? 'now' : 'drain', signal)
    isTold = true
  }
  signals.on('SIGTERM', () => told('SIGTERM'))
  signals.on('SIGINT', () => told('SIGINT'))
}
