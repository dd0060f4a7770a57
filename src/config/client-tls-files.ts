import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createSecureContext } from 'node:tls'
import type { Finding } from '../catalog/documents/problems.ts'
import type { ClientTlsOptions } from '../session/login/client-tls.ts'
import type { ProblemReport } from './problem-report.ts'
import type { SettingGroups } from './settings-schema.ts'

type ClientTlsSettings = SettingGroups['tls']['client']
type FileSetting = 'cert' | 'key' | 'ca'

/** What is wrong with a file, thrown inside of this one only. */
class FileProblem extends Error {
  readonly setting: FileSetting
  readonly remedy: string

  constructor(setting: FileSetting, { message, remedy, cause }: Finding & ErrorOptions) {
    super(message, { cause })
    this.setting = setting
    this.remedy = remedy
  }
}

/**
 * Reads the PEM files of TLS with clients, and tries whether they fit each other: a reload with a
 * bad pair must fail here, while the old one is still in force.
 *
 * @returns `undefined` where clients are not offered TLS, or when something is wrong.
 */
export function readClientTls(
  settings: ClientTlsSettings,
  report: ProblemReport,
): ClientTlsOptions | undefined {
  const mode = modeOf(settings)
  if (mode === 'disable') return undefined
  try {
    const cert = readCertificates(settings, 'cert')
    const key = readKey(settings, cert)
    const ca = settings.ca === undefined ? undefined : readCertificates(settings, 'ca')
    tryOut({ cert, key, ca })
    return { isRequired: mode === 'require', cert, key, ca }
  } catch (error) {
    if (!(error instanceof FileProblem)) throw error
    const { setting, message, remedy } = error
    report.add(['tls', 'client', setting], { message, remedy })
    return undefined
  }
}

/** Finds settings that wait for what no client can ever bring. */
export function checkTlsUses(
  { tls, tenancy, auth }: Pick<SettingGroups, 'tls' | 'tenancy' | 'auth'>,
  report: ProblemReport,
): void {
  const isOn = modeOf(tls.client) !== 'disable'
  const takesCertificates = isOn && tls.client.ca !== undefined
  const require = (isMet: boolean, path: readonly string[], setting: 'cert' | 'ca') => {
    if (isMet) return
    const remedy = `Set tls.client.${setting}, and tls.client.mode to allow or require.`
    report.add(path, { message: `needs tls.client.${setting}`, remedy })
  }
  require(isOn || tenancy.tag.sni === false, ['tenancy', 'tag', 'sni'], 'cert')
  const isCertificateRead = tenancy.tag.certificate !== false
  require(takesCertificates || !isCertificateRead, ['tenancy', 'tag', 'certificate'], 'ca')
  require(takesCertificates || auth.method !== 'cert', ['auth', 'method'], 'ca')
}

/** As the setting says, or as the certificate implies. */
function modeOf({ mode, cert }: ClientTlsSettings): 'disable' | 'allow' | 'require' {
  return mode ?? (cert === undefined ? 'disable' : 'allow')
}

function readFile(settings: ClientTlsSettings, setting: FileSetting): string {
  const path = settings[setting]
  if (path === undefined) {
    const remedy = 'Name the file, or set tls.client.mode to disable.'
    throw new FileProblem(setting, { message: 'is needed for TLS with clients', remedy })
  }
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    const message = `names a file that can't be read: ${path}`
    const remedy = 'Create the file, or let the user that runs pgusher read it.'
    throw new FileProblem(setting, { message, remedy, cause })
  }
}

function readCertificates(settings: ClientTlsSettings, setting: 'cert' | 'ca'): string {
  const pem = readFile(settings, setting)
  try {
    new X509Certificate(pem)
    return pem
  } catch (cause) {
    const message = `names a file without a certificate: ${settings[setting]}`
    throw new FileProblem(setting, { message, remedy: 'Use a PEM file.', cause })
  }
}

function readKey(settings: ClientTlsSettings, cert: string): string {
  const pem = readFile(settings, 'key')
  if (new X509Certificate(cert).checkPrivateKey(parseKey(pem))) return pem
  throw new FileProblem('key', {
    message: 'is not the key of tls.client.cert',
    remedy: 'Name the pair that belongs together, ours first in the file of the certificate.',
  })
}

function parseKey(pem: string): ReturnType<typeof createPrivateKey> {
  try {
    return createPrivateKey(pem)
  } catch (cause) {
    throw new FileProblem('key', {
      message: 'names a file without a private key that can be read',
      remedy: 'Use a PEM file that is not encrypted.',
      cause,
    })
  }
}

/** OpenSSL has the last word: it refuses keys that are too weak, for one. */
function tryOut({ cert, key, ca }: Pick<ClientTlsOptions, 'cert' | 'key' | 'ca'>): void {
  const use = (setting: FileSetting, options: Parameters<typeof createSecureContext>[0]) => {
    try {
      createSecureContext(options)
    } catch (cause) {
      const message = `is refused by OpenSSL: ${cause instanceof Error ? cause.message : cause}`
      throw new FileProblem(setting, { message, remedy: 'Make a new one.', cause })
    }
  }
  use('cert', { cert, key })
  if (ca !== undefined) use('ca', { ca })
}
