/** What auth/ needs of a client's connection; session/ implements it. */
export interface AuthChannel {
  send(bytes: Buffer): void
  /** Body of the next 'p' message. */
  receivePassword(): Promise<Buffer>
  /** True for a loopback address or a unix socket. */
  readonly isLoopback: boolean
  readonly isEncrypted: boolean
  /**
   * Hash of the certificate that this connection was served with, for channel binding;
   * `undefined` without TLS.
   *
   * @see https://www.rfc-editor.org/rfc/rfc5929#section-4
   */
  readonly tlsServerEndPoint: Buffer | undefined
  /** The client's own certificate; `undefined` unless it gave one that `tls.client.ca` vouches for. */
  readonly clientCertificate: ClientCertificate | undefined
}

/** The names in a client's verified certificate. */
export interface ClientCertificate {
  /** CN of the subject. */
  readonly commonName: string | undefined
  /** DNS names among the subject's alternative names. */
  readonly dnsNames: readonly string[]
}
