/**
 * The SQLSTATE codes that PgUsher itself puts in an ErrorResponse.
 *
 * @see https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
export const SqlState = {
  connectionFailure: '08006',
  sqlClientUnableToEstablishConnection: '08001',
  protocolViolation: '08P01',
  featureNotSupported: '0A000',
  invalidParameterValue: '22023',
  activeSqlTransaction: '25001',
  idleInTransactionSessionTimeout: '25P03',
  invalidSqlStatementName: '26000',
  invalidAuthorizationSpecification: '28000',
  invalidPassword: '28P01',
  invalidCursorName: '34000',
  insufficientPrivilege: '42501',
  syntaxError: '42601',
  undefinedObject: '42704',
  duplicatePreparedStatement: '42P05',
  tooManyConnections: '53300',
  programLimitExceeded: '54000',
  cantChangeRuntimeParam: '55P02',
  queryCanceled: '57014',
  adminShutdown: '57P01',
  cannotConnectNow: '57P03',
  idleSessionTimeout: '57P05',
  configFileError: 'F0000',
  internalError: 'XX000',
} as const

export type SqlState = (typeof SqlState)[keyof typeof SqlState]
