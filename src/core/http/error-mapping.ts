/**
 * What a client reads of an error that a storage or a metadata store threw. Both tables name every
 * code, so that a new one does not compile before somebody has said what it means here.
 */
import { isStorageError, type StorageError, type StorageErrorCode } from '../../storage/blob/errors.js'
import {
  isMetadataError,
  type MetadataError,
  type MetadataErrorCode,
  type MetadataLimit,
} from '../../storage/metadata/errors.js'
import { isLibraryError, LibraryError, type LibraryErrorCode, retrySoon } from './errors.js'

type Mapping<E> = (error: E, requestId: string) => LibraryError

/** The text is ours. Default: that of the code. */
const always =
  (code: LibraryErrorCode, message?: string): Mapping<Error> =>
  (cause) =>
    new LibraryError(code, message, { cause })

/** The text is the store's, which names what is full or held. */
const asItSays =
  (code: LibraryErrorCode): Mapping<Error> =>
  (cause) =>
    new LibraryError(code, cause.message, { cause })

const unavailable: Mapping<Error> = (cause) => new LibraryError('unavailable', undefined, { cause, headers: retrySoon })

/** No client can do anything about it: the text stays in the log. */
const fault =
  (what: string): Mapping<unknown> =>
  (cause, requestId) =>
    new LibraryError('internal', `${what} (request ${requestId})`, { cause })

const storageFault = fault('the storage failed')
const metadataFault = fault('the metadata store failed')

const ofStorage: Readonly<Record<StorageErrorCode, Mapping<StorageError>>> = {
  'size-mismatch': always('size-mismatch', 'more or fewer bytes came than were announced'),
  'digest-mismatch': always(
    'digest-mismatch',
    'the bytes do not have the announced SHA-256: they were damaged on the way, send them again',
  ),
  'upload-exhausted': always('gone', 'the parts of the upload were sent too often: push again'),
  'upload-not-found': always('gone', 'the upload is gone: push again'),
  // only of an upload, whose completion stood still for so long that a sweep took it for left by a
  // crash: a pull says so itself
  'not-found': always('gone', 'the bytes of the upload are gone: push again'),
  'invalid-range': always('invalid-range'),
  'no-space': always('insufficient-storage'),
  // a backend wraps whatever the body threw: our own idle time-out comes back this way
  aborted: (error) =>
    isLibraryError(error.cause) ? error.cause : new LibraryError('client-closed', undefined, { cause: error }),
  unavailable,
  exists: storageFault,
  'invalid-key': storageFault,
  'invalid-part': storageFault,
  'access-denied': storageFault,
  unsupported: storageFault,
  internal: storageFault,
}

/** What to do about a number that is reached. */
const waysOut: Readonly<Record<MetadataLimit, string>> = {
  records: 'it may hold no more: delete images, or ask the operator of the registry',
  tags: 'it may have no more: delete some first',
  'pending-images': 'push them, delete them, or wait until the registry removes them',
  'uploads-of-principal': 'finish or abort some, or wait until they expire',
  'uploads-of-image': 'wait until one of them ends',
}

const limitExceeded: Mapping<MetadataError> = (cause) => {
  const { limit = 'records' } = cause
  const message = `${cause.message}: ${waysOut[limit]}`
  return limit === 'records' || limit === 'tags'
    ? new LibraryError('quota-exceeded', message, { cause })
    : new LibraryError('too-many', message, { cause, headers: { 'retry-after': '60' } })
}

const deletedMeanwhile = always('conflict', 'it was deleted in the meantime: push again')

const ofMetadata: Readonly<Record<MetadataErrorCode, Mapping<MetadataError>>> = {
  'quota-exceeded': asItSays('quota-exceeded'),
  'limit-exceeded': limitExceeded,
  'name-held': asItSays('conflict'),
  'parent-missing': deletedMeanwhile,
  'image-missing': deletedMeanwhile,
  unavailable,
  closed: unavailable,
  exists: metadataFault,
  'schema-too-new': metadataFault,
  'driver-missing': metadataFault,
  internal: metadataFault,
}

/**
 * The mapping of a code. A backend or store of somebody else may throw one that this version does
 * not know.
 */
function mappingOf<E>(
  table: Readonly<Record<string, Mapping<E>>>,
  code: string,
  otherwise: Mapping<unknown>,
): Mapping<E> {
  return (Object.hasOwn(table, code) ? table[code] : undefined) ?? otherwise
}

/**
 * Maps whatever was thrown to the error that the client reads. The text of unknown errors stays in
 * the log.
 */
export function toLibraryError(error: unknown, requestId: string): LibraryError {
  if (isLibraryError(error)) return error
  if (isStorageError(error)) return mappingOf(ofStorage, error.code, storageFault)(error, requestId)
  if (isMetadataError(error)) return mappingOf(ofMetadata, error.code, metadataFault)(error, requestId)
  return fault('an internal fault')(error, requestId)
}
