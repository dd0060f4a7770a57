import { ProxyError } from '../base/proxy-error.ts'
import { ConfigError } from '../config/config-errors.ts'
import { loadConfig } from '../config/load-config.ts'
import { type RunningProxy, startProxy } from '../proxy.ts'
import { createLogger, type LeveledLogger } from '../telemetry/log/logger.ts'
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
  const { interrupted, obey } = awaitEnd(signals, logger)
  let proxy: RunningProxy | undefined
  try {
    const readConfig = () => loadConfig(sources)
    proxy = await Promise.race([startProxy(config, logger, { readConfig }), interrupted])
  } catch (error) {
    if (!(error instanceof ProxyError)) throw error
    logger.error('start failed', { code: error.code, detail: error.message })
    return ExitCode.failure
  }
  if (proxy === undefined) return ExitCode.ok
  logger.info('serving', {
    address: `${config.listen.host}:${proxy.port}`,
    admin: `http://${config.admin.host}:${proxy.adminPort}`,
    tenants: config.records.tenants.length,
  })
  const started = proxy
  signals.on('SIGHUP', () => reload(started, sources, logger))
  obey(proxy)
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
    proxy.configRefused()
    logger.error('configuration refused', { detail: error.message })
  }
}

interface End {
  /** Resolves when the process is to end before it serves. */
  readonly interrupted: Promise<undefined>
  /** From now on it is this proxy that ends. */
  obey(proxy: RunningProxy): void
}

/**
 * The first SIGTERM or SIGINT lets transactions finish, or waits for the drain that somebody began
 * otherwise; a second one ends at once. They are heard from the start: as the first process of a
 * container it would not even die of them.
 */
function awaitEnd(signals: SignalSource, logger: LeveledLogger): End {
  let serving: RunningProxy | undefined
  let isTold = false
  let interrupt = () => {}
  const interrupted = new Promise<undefined>((resolve) => {
    interrupt = () => resolve(undefined)
  })
  const told = (signal: 'SIGTERM' | 'SIGINT') => {
    if (serving === undefined || isTold) logger.warn('ended at once', { signal })
    serving?.shutdown(isTold ? 'now' : 'drain', signal)
    interrupt()
    isTold = true
  }
  signals.on('SIGTERM', () => told('SIGTERM'))
  signals.on('SIGINT', () => told('SIGINT'))
  return {
    interrupted,
    obey(proxy) {
      serving = proxy
    },
  }
}
