/** What ends a command: the words for stderr and the exit code. */
import { isLibraryError } from 'sif-library'
import { isMetadataError } from 'sif-library/metadata'
import { isStorageError } from 'sif-library/storage'

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

/** Why a system call failed, without the path that libuv appends. */
export function systemReason(error: unknown): string {
  return error instanceof Error ? (error.message.split(',')[0] ?? error.message) : String(error)
}

export interface Failure {
  readonly exitCode: 1 | 2
  readonly message: string
  /** Nobody foresaw it, so the stack is worth having. */
  readonly unforeseen: boolean
}

/** Sorts whatever was thrown. */
export function toFailure(error: unknown): Failure {
  const message = error instanceof Error ? error.message : String(error)
  if (error instanceof UsageError) return { exitCode: 2, message, unforeseen: false }
  if (error instanceof WorkError) return { exitCode: 1, message, unforeseen: false }
  if (isLibraryError(error)) return { exitCode: error.status === 400 ? 2 : 1, message, unforeseen: error.status >= 500 }
  // `unsupported`: options of a storage that contradict each other, or a package that is not installed
  if (isStorageError(error))
    return { exitCode: error.code === 'unsupported' ? 2 : 1, message: `storage: ${message}`, unforeseen: false }
  if (isMetadataError(error)) return { exitCode: 1, message: `metadata: ${message}`, unforeseen: false }
  return { exitCode: 1, message, unforeseen: systemCode(error) === undefined }
}
