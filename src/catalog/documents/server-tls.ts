import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { isAbsolute } from 'node:path'
import { nearestName } from '../../base/nearest-name.ts'
import type { ServerTls } from '../route.ts'
import type { Finding } from './problems.ts'

/** The choices of the parameters that have some; the first is the default. */
const CHOICES = {
  sslmode: ['prefer', 'disable', 'allow', 'require', 'verify-ca', 'verify-full'],
  channel_binding: ['prefer', 'disable', 'require'],
  sslnegotiation: ['postgres', 'direct'],
  sslsni: ['1', '0'],
} as const

/** The parameters of a server URL that are about TLS. */
export const TLS_PARAMETERS = [...Object.keys(CHOICES), 'sslrootcert', 'sslcert', 'sslkey']

const WEAK_MODES: readonly string[] = ['disable', 'allow', 'prefer']
const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g

type Choice<Name extends keyof typeof CHOICES> = (typeof CHOICES)[Name][number]

/** The parameters of one URL, each with a value that it may have. */
interface Wanted {
  readonly mode: Choice<'sslmode'>
  readonly channelBinding: Choice<'channel_binding'>
  readonly negotiation: Choice<'sslnegotiation'>
  readonly sni: Choice<'sslsni'>
  readonly rootFile: string | undefined
  readonly certificateFile: string | undefined
  readonly keyFile: string | undefined
}

interface Pems {
  readonly root: string | undefined
  readonly certificate: string | undefined
  readonly key: string | undefined
}

/** What was found wrong; thrown inside this file only. */
class TlsProblem extends Error {
  readonly remedy: string

  constructor(message: string, options: { readonly remedy: string } & ErrorOptions) {
    super(message, options)
    this.remedy = options.remedy
  }
}

/**
 * Reads what server URLs say of TLS, with the files that they name. Makes one object for all URLs
 * that say the same, however many tenants there are: use one reader for a whole configuration.
 */
export class ServerTlsReader {
  readonly #files = new Map<string, string>()
  readonly #made = new Map<string, ServerTls>()

  /**
   * @param parameters - Of the URL, decoded.
   * @param host - A leading `/` means a unix socket, which is never encrypted.
   * @returns `undefined` when the connection is not to be encrypted.
   */
  read(
    parameters: ReadonlyMap<string, string>,
    host: string,
  ): { readonly tls: ServerTls | undefined } | { readonly finding: Finding } {
    try {
      return { tls: this.#tlsOf(readWanted(parameters), host.startsWith('/')) }
    } catch (error) {
      if (!(error instanceof TlsProblem)) throw error
      return { finding: { message: error.message, remedy: error.remedy } }
    }
  }

  #tlsOf(wanted: Wanted, isUnixSocket: boolean): ServerTls | undefined {
    checkCombination(wanted)
    const { mode } = wanted
    if (mode === 'disable' || isUnixSocket) {
      if (wanted.channelBinding !== 'require') return undefined
      throw problem(
        `asks for channel_binding=require ${isUnixSocket ? 'on a unix socket' : 'without TLS'}`,
        'Only TLS has a channel to bind to: remove channel_binding, or connect by TLS.',
      )
    }
    const key = JSON.stringify(wanted)
    const tls = this.#made.get(key) ?? Object.freeze(buildTls(mode, wanted, this.#readPems(wanted)))
    this.#made.set(key, tls)
    return tls
  }

  #readPems({ rootFile, certificateFile, keyFile }: Wanted): Pems {
    const isSystem = rootFile === undefined || rootFile === 'system'
    const root = isSystem ? undefined : this.#readFile('sslrootcert', rootFile)
    if (root !== undefined) readCertificates('sslrootcert', root)
    if (certificateFile === undefined || keyFile === undefined) {
      return { root, certificate: undefined, key: undefined }
    }
    const certificate = this.#readFile('sslcert', certificateFile)
    const key = this.#readFile('sslkey', keyFile)
    checkKey(readCertificates('sslcert', certificate), key)
    return { root, certificate, key }
  }

  #readFile(parameter: string, path: string): string {
    const known = this.#files.get(path)
    if (known !== undefined) return known
    if (!isAbsolute(path)) {
      throw problem(
        `has a ${parameter} that is no absolute path`,
        parameter === 'sslrootcert' ? 'Begin it with /, or write system.' : 'Begin it with /.',
      )
    }
    const text = readPem(parameter, path)
    this.#files.set(path, text)
    return text
  }
}

function readWanted(parameters: ReadonlyMap<string, string>): Wanted {
  const rootFile = parameters.get('sslrootcert')
  // As libpq: whoever asks for the public authorities wants the name checked as well.
  const standardMode = rootFile === 'system' ? 'verify-full' : 'prefer'
  return {
    mode: readChoice(parameters, 'sslmode', standardMode),
    channelBinding: readChoice(parameters, 'channel_binding', 'prefer'),
    negotiation: readChoice(parameters, 'sslnegotiation', 'postgres'),
    sni: readChoice(parameters, 'sslsni', '1'),
    rootFile,
    certificateFile: parameters.get('sslcert'),
    keyFile: parameters.get('sslkey'),
  }
}

function readChoice<Name extends keyof typeof CHOICES>(
  parameters: ReadonlyMap<string, string>,
  name: Name,
  standard: Choice<Name>,
): Choice<Name> {
  const given = parameters.get(name)
  if (given === undefined) return standard
  const choices: readonly Choice<Name>[] = CHOICES[name]
  const found = choices.find((choice) => choice === given)
  if (found !== undefined) return found
  const nearest = nearestName(given, choices)
  throw problem(
    `has an unknown ${name}`,
    nearest === undefined ? `Use ${choices.join(' or ')}.` : `Did you mean ${nearest}?`,
  )
}

function checkCombination(wanted: Wanted): void {
  const { mode, rootFile } = wanted
  if ((wanted.certificateFile === undefined) !== (wanted.keyFile === undefined)) {
    throw problem('has one of sslcert and sslkey without the other', 'Give both or none.')
  }
  if (wanted.negotiation === 'direct' && WEAK_MODES.includes(mode)) {
    const remedy = 'Set sslmode to require, verify-ca or verify-full.'
    throw problem(`has sslnegotiation=direct with sslmode=${mode}`, remedy)
  }
  if (rootFile === 'system' && mode !== 'verify-full') {
    throw problem(
      `has sslrootcert=system with sslmode=${mode}`,
      'Set sslmode=verify-full: anybody can get a certificate from a public authority.',
    )
  }
  if (mode === 'verify-ca' && rootFile === undefined) {
    throw problem(
      'has sslmode=verify-ca without sslrootcert',
      'Name the file of the authority in sslrootcert, or set sslmode=verify-full.',
    )
  }
}

function buildTls(mode: ServerTls['mode'], wanted: Wanted, pems: Pems): ServerTls {
  return {
    mode,
    rootCertificates: pems.root,
    certificate: pems.certificate,
    key: pems.key,
    channelBinding: wanted.channelBinding,
    negotiation: wanted.negotiation,
    isNameSent: wanted.sni === '1',
  }
}

function readPem(parameter: string, path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new TlsProblem(`names a file in ${parameter} that can't be read: ${path}`, {
      remedy: 'Create the file, or let the user that runs pgusher read it.',
      cause,
    })
  }
}

/** All certificates of a PEM file, at least one. */
function readCertificates(parameter: string, pem: string): readonly X509Certificate[] {
  try {
    const found = Array.from(pem.matchAll(PEM_CERTIFICATE), ([text]) => new X509Certificate(text))
    if (found.length > 0) return found
  } catch {
    // Told below in the same words: what OpenSSL says of it helps nobody.
  }
  throw problem(`names a file in ${parameter} without a certificate`, 'Use a PEM file.')
}

function checkKey([certificate]: readonly X509Certificate[], pem: string): void {
  let fits: boolean | undefined
  try {
    fits = certificate?.checkPrivateKey(createPrivateKey(pem))
  } catch (cause) {
    throw new TlsProblem('names a file in sslkey without a private key that can be read', {
      remedy: 'Use a PEM file that is not encrypted.',
      cause,
    })
  }
  if (fits !== true) {
    throw problem('has an sslkey that is not the key of its sslcert', 'Name the right pair.')
  }
}

function problem(message: string, remedy: string): TlsProblem {
  return new TlsProblem(message, { remedy })
}
