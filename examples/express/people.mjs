// What the portal had before: its people, their groups and roles. In a real portal this is a database, or LDAP.
import { randomBytes, scrypt, scryptSync, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'

const derive = promisify(scrypt)

function person(name, password, { admin = false } = {}) {
  const salt = randomBytes(16)
  return { name, admin, salt, hash: scryptSync(password, salt, 32) }
}

const people = new Map([
  ['alice', person('alice', 'alice-password')],
  ['bob', person('bob', 'bob-password')],
  ['carol', person('carol', 'carol-password', { admin: true })],
])

/** Group → person → role. Maps, since names come from outside: an object has a `constructor` for everybody. */
const groups = new Map([
  [
    'genomics',
    new Map([
      ['alice', 'maintainer'],
      ['bob', 'reader'],
    ]),
  ],
  ['imaging', new Map([['bob', 'writer']])],
])

const roleActions = new Map([
  ['reader', ['pull']],
  ['writer', ['pull', 'push']],
  ['maintainer', ['pull', 'push', 'delete', 'manage']],
])

export const findPerson = (name) => people.get(name)

export async function checkPassword(name, password) {
  const found = people.get(name)
  // hashed for unknown names too: the time must not tell which names exist
  const hash = await derive(password, found?.salt ?? 'no such person', 32)
  return found !== undefined && timingSafeEqual(hash, found.hash) ? found : undefined
}

/** The groups that somebody is in, whatever the role. */
export const groupsOf = (name) => [...groups].filter(([, members]) => members.has(name)).map(([group]) => group)

/** The portal's own authorization: may somebody do this in a namespace, which is a person or a group? */
export function may(person, action, namespace) {
  if (person.admin) return true
  // quotas and the registry itself are for admins
  if (action === 'admin') return false
  if (person.name === namespace) return true
  const role = groups.get(namespace)?.get(person.name)
  return role !== undefined && (roleActions.get(role) ?? []).includes(action)
}
