/** What is read from a User-Agent, and only where a generation would break otherwise (protocol 3.3, 5.7). */
import type { LibraryRequest } from '../http/messages.js'
import { readHeader } from '../http/messages.js'

const agentPattern = /\b(singularity(?:-ce|pro)?|apptainer)\/(\d+)\.(\d+)\.(\d+)/i

/** The client library 1.3.2-1.3.3 (SingularityCE 3.10.0-3.10.4, Apptainer 1.1.0-1.1.5) sends its token to any 303 target, and an object store refuses two credentials. */
export function sendsTokenToRedirects(request: LibraryRequest): boolean {
  if (readHeader(request, 'authorization') === undefined) return false
  const match = agentPattern.exec(readHeader(request, 'user-agent') ?? '')
  if (match === null) return false
  const [, name, major, minor, patch] = match
  const version = `${major}.${minor}`
  return name?.toLowerCase() === 'apptainer'
    ? version === '1.1' && Number(patch) <= 5
    : version === '3.10' && Number(patch) <= 4
}
