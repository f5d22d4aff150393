/** What ends a command: the words for stderr and the exit code. */
import { isLibraryError } from 'sif-library'
import { isRegistryError } from 'sif-library/client'
import { isMetadataError } from 'sif-library/metadata'
import { isStorageError } from 'sif-library/storage'
import { whoseFile } from './owner.js'

/** Exit code 2: the command line, environment or configuration file is wrong. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** Exit code 1: the work failed, for a reason that the message names. */
export class WorkError extends Error {
  override readonly name = 'WorkError'
}

/** The code of a failed system call, such as `EACCES`. */
export function systemCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

/**
 * Why a system call failed, without the path that libuv appends; where a permission is missing,
 * with the file and its owner.
 */
export function systemReason(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const reason = error.message.split(',')[0] ?? error.message
  const isRefused = systemCode(error) === 'EACCES' || systemCode(error) === 'EPERM'
  return isRefused && 'path' in error && typeof error.path === 'string'
    ? `${reason} (${whoseFile(error.path)})`
    : reason
}

export interface Failure {
  readonly exitCode: 1 | 2
  readonly message: string
  /** Nobody foresaw it, so the stack is worth having. */
  readonly unforeseen: boolean
}

/** Whose file it was, where a missing permission is the cause. */
function ownerBehind({ cause }: Error): string {
  const isRefused = systemCode(cause) === 'EACCES' && typeof cause === 'object' && cause !== null && 'path' in cause
  return isRefused && typeof cause.path === 'string' ? ` (${whoseFile(cause.path)})` : ''
}

/** Sorts whatever was thrown. */
export function toFailure(error: unknown): Failure {
  const message = error instanceof Error ? error.message : String(error)
  if (error instanceof UsageError) return { exitCode: 2, message, unforeseen: false }
  if (error instanceof WorkError) return { exitCode: 1, message, unforeseen: false }
  if (isLibraryError(error)) return { exitCode: error.status === 400 ? 2 : 1, message, unforeseen: error.status >= 500 }
  // of a registry elsewhere: its server log knows more
  if (isRegistryError(error)) return { exitCode: error.status === 400 ? 2 : 1, message, unforeseen: false }
  // `unsupported`: options of a storage that contradict each other, or a package that is not
  // installed
  if (isStorageError(error))
    return { exitCode: error.code === 'unsupported' ? 2 : 1, message: `storage: ${message}`, unforeseen: false }
  if (isMetadataError(error))
    return { exitCode: 1, message: `metadata: ${message}${ownerBehind(error)}`, unforeseen: false }
  return { exitCode: 1, message, unforeseen: systemCode(error) === undefined }
}
