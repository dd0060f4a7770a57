import { randomBytes, timingSafeEqual } from 'node:crypto'
import {
  authenticationCleartextPassword,
  authenticationMd5Password,
} from '../wire/backend-messages.ts'
import { md5Hash, md5Response } from '../wire/md5.ts'
import { readPassword } from '../wire/message-fields.ts'
import { type ScramVerifier, saltPassword, scramKeys, sha256 } from '../wire/scram/scram.ts'
import type { ClientProof } from './client-proof.ts'
import { decoyMd5Hash, decoyVerifier } from './decoy-secret.ts'
import type { Exchange } from './exchange.ts'

export async function exchangeMd5(exchange: Exchange): Promise<ClientProof | undefined> {
  const { channel, secret, decoySeed } = exchange
  const isReal = secret?.kind === 'md5'
  const salt = randomBytes(4)
  channel.send(authenticationMd5Password(salt))
  const given = readPassword(await channel.receivePassword())
  const decoy = decoyMd5Hash(decoySeed)
  const due = md5Response(isReal ? secret.hash : decoy, salt)
  return isSameText(given, due) && isReal ? { kind: 'none' } : undefined
}

export async function exchangePassword(exchange: Exchange): Promise<ClientProof | undefined> {
  const { channel, login, secret, decoySeed } = exchange
  channel.send(authenticationCleartextPassword())
  const password = readPassword(await channel.receivePassword())
  // The slow check runs for every kind of secret: its absence could be measured.
  const decoy = decoyVerifier(decoySeed)
  const fitsVerifier = await fits(secret?.kind === 'scram' ? secret.verifier : decoy, password)
  const decoyHash = decoyMd5Hash(decoySeed)
  const hash = secret?.kind === 'md5' ? secret.hash : decoyHash
  const fitsHash = isSameText(md5Hash(password, login), hash)
  const isProven = secret?.kind === 'scram' ? fitsVerifier : secret?.kind === 'md5' && fitsHash
  return isProven ? { kind: 'password', password } : undefined
}

/** Off the event loop, which a flood of logins would otherwise stop for everybody. */
async function fits(verifier: ScramVerifier, password: string): Promise<boolean> {
  const { salt, iterations, storedKey } = verifier
  const { clientKey } = scramKeys(await saltPassword(password, salt, iterations))
  return timingSafeEqual(sha256(clientKey), storedKey)
}

function isSameText(given: string, due: string): boolean {
  const givenBytes = Buffer.from(given)
  const dueBytes = Buffer.from(due)
  return givenBytes.length === dueBytes.length && timingSafeEqual(givenBytes, dueBytes)
}
