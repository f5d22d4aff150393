/** `server.json`: where the server on a data folder listens. It is there while the server runs. */
import { readFile, unlink } from 'node:fs/promises'
import { connect } from 'node:net'
import { type DataFolder, readServerRecord, type ServerRecord } from '../data-folder.js'
import { systemCode } from '../failure.js'
import { writePrivateFile } from '../private-file.js'
import { socketOf } from './addresses.js'

const answerMs = 2000

/** What a connection fails with where nobody listens. */
const nobody = ['ECONNREFUSED', 'ENOENT', 'ENOTSOCK', 'EADDRNOTAVAIL', 'ENOTFOUND']

/** Whether somebody listens at a URL of this machine, busy or not; `unix:/path` is one too. */
export function isListenedOn(url: string): Promise<boolean> {
  const path = socketOf(url)
  return new Promise((resolve) => {
    const { hostname, port, protocol } = new URL(url)
    const host = hostname.replace(/^\[|\]$/g, '')
    const target = path === undefined ? { host, port: Number(port || (protocol === 'https:' ? 443 : 80)) } : { path }
    const socket = connect(target)
    const end = (answer: boolean): void => {
      socket.destroy()
      resolve(answer)
    }
    socket.setTimeout(answerMs, () => end(true))
    socket.once('connect', () => end(true))
    socket.once('error', (error) => end(!nobody.includes(systemCode(error) ?? '')))
  })
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // it is there, and another user's
    return systemCode(error) === 'EPERM'
  }
}

/**
 * The process that a crash left a record of may be gone, or another program may have its number: a
 * server also listens where it said.
 */
export async function isAlive({ pid, url }: ServerRecord): Promise<boolean> {
  return pid !== process.pid && isRunning(pid) && URL.canParse(url) && (await isListenedOn(url))
}

export interface ServerRecordClaim {
  /** The record of the server that runs on this folder already: ours is not written then. */
  readonly other: ServerRecord | undefined
  /** Removes the record, if it is still this server's. */
  readonly release: () => Promise<void>
}

/** Writes the record, unless the server that it tells of lives. */
export async function claimServerRecord(folder: DataFolder, record: ServerRecord): Promise<ServerRecordClaim> {
  // one that can't be read tells of no server
  const found = await readServerRecord(folder).catch(() => undefined)
  if (found !== undefined && found.url !== record.url && (await isAlive(found)))
    return { other: found, release: async () => {} }
  const text = `${JSON.stringify(record, null, 2)}\n`
  await writePrivateFile(folder.serverFile, text)
  return {
    other: undefined,
    release: async () => {
      const now = await readFile(folder.serverFile, 'utf8').catch(() => undefined)
      if (now === text) await unlink(folder.serverFile).catch(() => {})
    },
  }
}
