/** What the scripts that start a real server share: whom it runs as, and where it listens. */
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'

export const isRoot = process.getuid?.() === 0

/** Whom a server runs as: us (`{}`), or the first of these users when we are root. Throws when none is there. */
export function findUser(names) {
  if (!isRoot) return {}
  const users = readFileSync('/etc/passwd', 'utf8').split('\n')
  for (const name of names) {
    const [, , uid, gid] = users.find((line) => line.startsWith(`${name}:`))?.split(':') ?? []
    if (uid !== undefined) return { uid: Number(uid), gid: Number(gid) }
  }
  throw new Error(`the server should not run as root, and there is no user ${names.join(' or ')}`)
}

/** A port of 127.0.0.1 that was free a moment ago. */
export function findFreePort() {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })
}
