/**
 * Type bytes of the messages that a client sends.
 *
 * @see https://www.postgresql.org/docs/current/protocol-message-formats.html
 */
export const FrontendCode = {
  bind: 0x42,
  close: 0x43,
  describe: 0x44,
  execute: 0x45,
  functionCall: 0x46,
  flush: 0x48,
  parse: 0x50,
  query: 0x51,
  sync: 0x53,
  terminate: 0x58,
  copyDone: 0x63,
  copyData: 0x64,
  copyFail: 0x66,
  /** PasswordMessage, SASLInitialResponse and SASLResponse share one byte. */
  password: 0x70,
} as const

/** Type bytes of the messages that Postgres sends. */
export const BackendCode = {
  parseComplete: 0x31,
  bindComplete: 0x32,
  closeComplete: 0x33,
  notificationResponse: 0x41,
  commandComplete: 0x43,
  dataRow: 0x44,
  errorResponse: 0x45,
  copyInResponse: 0x47,
  copyOutResponse: 0x48,
  emptyQueryResponse: 0x49,
  backendKeyData: 0x4b,
  noticeResponse: 0x4e,
  authentication: 0x52,
  parameterStatus: 0x53,
  rowDescription: 0x54,
  functionCallResponse: 0x56,
  copyBothResponse: 0x57,
  readyForQuery: 0x5a,
  copyDone: 0x63,
  copyData: 0x64,
  noData: 0x6e,
  portalSuspended: 0x73,
  parameterDescription: 0x74,
  negotiateProtocolVersion: 0x76,
} as const
