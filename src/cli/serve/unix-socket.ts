/** Listening on a socket in the file system. */
import { chmod, lstat, unlink } from 'node:fs/promises'
import type { Server } from 'node:net'
import { systemCode, systemReason, WorkError } from '../failure.js'
import { isListenedOn } from './server-record.js'

/** The user and the group of the server, so of a proxy that is in this group. */
const mode = 0o660

function listenOnce(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    // the socket is made in this call, and must not be open to others for a moment
    const before = process.umask(0o777 & ~mode)
    try {
      server.listen({ path }, () => {
        server.off('error', reject)
        resolve()
      })
    } finally {
      process.umask(before)
    }
  })
}

/**
 * A server that was killed leaves its socket. One that somebody listens on, and what is no socket,
 * stays.
 */
async function removeStale(path: string): Promise<boolean> {
  if (!(await lstat(path)).isSocket() || (await isListenedOn(`unix:${path}`))) return false
  await unlink(path)
  return true
}

/**
 * Resolves once connections are accepted; closing the server removes the socket. Throws WorkError.
 */
export async function listenOnSocket(server: Server, path: string): Promise<void> {
  try {
    await listenOnce(server, path).catch(async (error: unknown) => {
      if (systemCode(error) !== 'EADDRINUSE' || !(await removeStale(path))) throw error
      return listenOnce(server, path)
    })
    // file systems that keep no umask
    await chmod(path, mode)
  } catch (error) {
    throw new WorkError(
      systemCode(error) === 'EADDRINUSE'
        ? `${path} is in use: another server listens there, or it is no socket; choose another path with --listen`
        : `cannot listen on ${path}: ${systemReason(Object.assign(error as Error, { path }))}`,
    )
  }
}
