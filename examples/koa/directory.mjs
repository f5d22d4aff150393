// Which groups: asked of the institute's LDAP directory, by an account that may only read.
import { Client, escapeFilter } from 'ldapts'

const values = (attribute) => [attribute ?? []].flat().map(String)

/**
 * Returns a function from a login to `{ name, groups }`; undefined when the directory has no such person. It rejects when the directory does not answer.
 *
 * `url` is `ldaps://HOST`, or `ldap://HOST` where nobody can listen; `ca` is the PEM text of the authority behind its certificate, where the system does not know it.
 * `cacheSeconds` is also how long somebody keeps a group that was taken from them. `now` is for tests.
 */
export function ldapDirectory({
  url,
  ca,
  base,
  bindDn,
  bindPassword,
  loginAttribute = 'uid',
  cacheSeconds = 60,
  timeoutSeconds = 5,
  now = Date.now,
}) {
  // a bind without a password succeeds as nobody (RFC 4513 5.1.2), and then everybody would be unknown
  if (!bindDn || !bindPassword) throw new Error('the directory needs a bind account with a password')

  async function ask(login) {
    const timeout = timeoutSeconds * 1000
    const client = new Client({ url, timeout, connectTimeout: timeout, tlsOptions: { ca } })
    try {
      await client.bind(bindDn, bindPassword)
      // the login comes from outside: `*` or `)` in it must stay letters
      const filter = `(${loginAttribute}=${escapeFilter`${login}`})`
      const { searchEntries: people } = await client.search(base, {
        filter,
        attributes: [loginAttribute],
        sizeLimit: 2,
      })
      const [person] = people
      if (person === undefined) return undefined
      if (people.length > 1) throw new Error('the directory has two people of one login')
      // LDAP compares without regard to capitals: the name is the one that the directory holds, so that Alice and alice are one person
      const [name = login] = values(person[loginAttribute])
      // how common kinds of groups name their members; a directory ignores what it does not know
      const member = escapeFilter`(|(member=${person.dn})(uniqueMember=${person.dn})(memberUid=${name}))`
      const { searchEntries: groups } = await client.search(base, { filter: member, attributes: ['cn'] })
      return { name, groups: groups.flatMap(({ cn }) => values(cn)) }
    } finally {
      await client.unbind().catch(() => {})
    }
  }

  const known = new Map()
  return (login) => {
    const kept = known.get(login)
    if (kept !== undefined && now() < kept.until) return kept.person
    if (known.size >= 10_000) known.clear()
    // the promise is kept, so that the many requests of one push ask once
    const entry = { person: ask(login), until: now() + cacheSeconds * 1000 }
    known.set(login, entry)
    // a failure is not kept
    entry.person.catch(() => known.get(login) === entry && known.delete(login))
    return entry.person
  }
}
