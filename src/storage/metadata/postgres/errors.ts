import { messageOf, textIn } from '../../../foreign.js'
import { isMetadataError, MetadataError } from '../errors.js'

function codeOf(error: unknown): string {
  return textIn(error, 'code') ?? ''
}

/**
 * The transaction lost against another one and had no effect: serialization failure, deadlock.
 * https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
export function isConflict(error: unknown): boolean {
  return ['40001', '40P01'].includes(codeOf(error))
}

// class 08, the server going down or not up yet, connections that it closed for standing still, too
// many connections; then what Node says of a socket or a name (EAI_AGAIN)
const lostCodes = /^(?:08...|57P0[1235]|25P0[34]|53300|E[A-Z]+(?:_AGAIN)?)$/

/** There is no connection (any more): the server restarts, fails over, or the network is gone. */
export function isConnectionLost(error: unknown): boolean {
  if (lostCodes.test(codeOf(error))) return true
  // pg has no code for these; the last one is a server that did not answer in time
  return /^(?:Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error|Query read timeout)/i.test(
    textIn(error, 'message') ?? '',
  )
}

const readOnlyCode = '25006'

/**
 * The server takes no changes, and made none: it is a standby after a failover, or its
 * administrator closed it.
 */
export function isReadOnly(error: unknown): boolean {
  return codeOf(error) === readOnlyCode
}

/**
 * Why `BEGIN READ WRITE` failed: what a standby says to it gets the code of a read-only server,
 * because its own, 0A000 (not supported), says many things elsewhere.
 */
export function beginFailure(error: unknown): unknown {
  if (codeOf(error) !== '0A000') return error
  return Object.assign(new Error(messageOf(error), { cause: error }), { code: readOnlyCode })
}

// wrong password, no such database or role, no such privilege, and what Node says of certificates:
// nothing that time heals
const refusedCodes = /^(?:28...|3D000|42501|ERR_TLS_.+|ERR_SSL_.+|.*CERT.*|UNABLE_TO_.+|HOSTNAME_MISMATCH)$/
// canceled by the statement timeout, lock not available, disk full, out of memory, disk or network
// of the server
const unavailableCodes = /^(?:57014|55P03|53...|58030)$/

/** As a MetadataError. The message holds what the server said, which names no password. */
export function translated(error: unknown): unknown {
  if (isMetadataError(error)) return error
  const code = codeOf(error)
  const text = messageOf(error) || code
  if (code === '23505') return new MetadataError('exists', 'a record with this id or name exists', { cause: error })
  if (code === '23503')
    return new MetadataError('parent-missing', 'the record that this one belongs to does not exist', { cause: error })
  if (isConflict(error) || isConnectionLost(error) || isReadOnly(error) || unavailableCodes.test(code)) {
    return new MetadataError('unavailable', `PostgreSQL: ${text}`, { cause: error })
  }
  if (refusedCodes.test(code) || /SSL connection/.test(text))
    return new MetadataError('unavailable', `PostgreSQL: ${text}`, { cause: error, retryable: false })
  return new MetadataError('internal', `PostgreSQL: ${text}`, { cause: error })
}
