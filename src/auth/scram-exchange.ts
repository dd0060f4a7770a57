import {
  authenticationSasl,
  authenticationSaslContinue,
  authenticationSaslFinal,
} from '../wire/backend-messages.ts'
import { readSaslInitialResponse } from '../wire/message-fields.ts'
import { SCRAM_SHA_256, SCRAM_SHA_256_PLUS } from '../wire/scram/scram.ts'
import { ScramServer } from '../wire/scram/scram-server.ts'
import { ProtocolViolationError } from '../wire/wire-errors.ts'
import type { AuthChannel } from './auth-channel.ts'
import { AuthMethodRefusedError } from './auth-errors.ts'
import type { ClientProof } from './client-proof.ts'
import { decoyVerifier } from './decoy-secret.ts'
import type { ChannelBinding, Exchange } from './exchange.ts'

/** @throws AuthMethodRefusedError - channel binding is required, and can't be had here. */
export async function exchangeScram(exchange: Exchange): Promise<ClientProof | undefined> {
  const { channel, secret, decoySeed } = exchange
  const isReal = secret?.kind === 'scram'
  // Made for real logins too, so that its making can't be measured.
  const decoy = decoyVerifier(decoySeed)
  const verifier = isReal ? secret.verifier : decoy
  const scram = await agree(exchange)
  const server = new ScramServer(verifier, scram)
  channel.send(authenticationSaslContinue(server.start(scram.clientFirst)))
  const proven = server.finish(await channel.receivePassword())
  if (!isReal || proven === undefined) return undefined
  if (exchange.isWelcome) channel.send(authenticationSaslFinal(proven.signature))
  const { serverKey } = verifier
  return { kind: 'scram', keys: { clientKey: proven.clientKey, serverKey } }
}

/** Which mechanism it will be. */
async function agree({ channel, channelBinding }: Exchange) {
  const hash = channelBinding === 'disable' ? undefined : channel.tlsServerEndPoint
  const offered = mechanisms(hash, channelBinding)
  channel.send(authenticationSasl(offered))
  const { mechanism, data } = readSaslInitialResponse(await channel.receivePassword())
  if (!offered.includes(mechanism)) {
    throw new ProtocolViolationError('the client chose a SASL mechanism that was not offered')
  }
  return { clientFirst: data, channelBinding: hash, isPlus: mechanism === SCRAM_SHA_256_PLUS }
}

function mechanisms(
  hash: AuthChannel['tlsServerEndPoint'],
  channelBinding: ChannelBinding,
): readonly string[] {
  if (hash === undefined && channelBinding === 'require') {
    const hint = 'Connect with TLS: sslmode=require or stronger.'
    throw new AuthMethodRefusedError('scram-sha-256', 'channel binding', hint)
  }
  if (hash === undefined) return [SCRAM_SHA_256]
  const plus = [SCRAM_SHA_256_PLUS]
  return channelBinding === 'require' ? plus : [...plus, SCRAM_SHA_256]
}
