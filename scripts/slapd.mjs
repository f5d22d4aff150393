/**
 * A throwaway LDAP server (OpenLDAP's slapd) for tests: its own folder, free ports of 127.0.0.1, random passwords, no waiting for the disk.
 *
 *   node scripts/slapd.mjs FILE.ldif     prints how to reach it and runs until it is told to end (SIGTERM, SIGINT)
 *
 * The first entry of the LDIF is the base. Needs Debian's package slapd, whose own service is neither used nor touched; as root with apt-get it installs it, without
 * starting that service. Root hands over to the user `openldap` or `nobody`.
 */
import { execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { chown, copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { track } from './children.mjs'
import { findFreePort, findUser, isRoot } from './local-server.mjs'

const run = promisify(execFile)
const schemas = '/etc/ldap/schema'

/** The program; undefined when it is not installed as Debian does it. */
export function findSlapd() {
  const folders = ['/usr/sbin', ...(process.env.PATH ?? '').split(':').filter(Boolean)]
  return existsSync(schemas) ? folders.map((folder) => join(folder, 'slapd')).find(existsSync) : undefined
}

async function needSlapd() {
  // the one place that knows how to keep a package from starting its service
  if (findSlapd() === undefined && isRoot)
    await run('bash', [fileURLToPath(new URL('install-tools.sh', import.meta.url))])
  const found = findSlapd()
  if (found === undefined) throw new Error('slapd is not installed (Debian: apt-get install slapd)')
  return found
}

/** People and groups are for the registry's account alone, and nobody reads passwords. */
function describeServer({ folder, base, account, admin, tls }) {
  return [
    ...['core', 'cosine', 'inetorgperson'].map((schema) => `include ${schemas}/${schema}.schema`),
    'modulepath /usr/lib/ldap',
    'moduleload back_mdb',
    ...(tls ? [`TLSCertificateFile ${folder}/certificate.pem`, `TLSCertificateKeyFile ${folder}/key.pem`] : []),
    'database mdb',
    `suffix "${base}"`,
    `rootdn "${admin.dn}"`,
    `rootpw ${admin.password}`,
    `directory ${folder}/data`,
    'dbnosync',
    'index objectClass,uid,member eq',
    'access to attrs=userPassword by anonymous auth by * none',
    `access to * by dn.exact="${account.dn}" read by * none`,
    '',
  ].join('\n')
}

/** Writes all that the server needs into a folder of its user's, and fills the database. */
async function prepare({ program, user, folder, ldif, settings, tls }) {
  const { account } = settings
  const own = `\n\ndn: ${account.dn}\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\ncn: registry\nuserPassword: ${account.password}\n`
  await mkdir(join(folder, 'data'), { mode: 0o700 })
  await writeFile(join(folder, 'slapd.conf'), describeServer({ ...settings, folder, tls: tls !== undefined }), {
    mode: 0o600,
  })
  await writeFile(join(folder, 'start.ldif'), ldif + own, { mode: 0o600 })
  if (tls !== undefined) await copyFile(tls.certificate, join(folder, 'certificate.pem'))
  if (tls !== undefined) await writeFile(join(folder, 'key.pem'), await readFile(tls.key), { mode: 0o600 })
  const files = ['', 'data', 'slapd.conf', 'start.ldif', ...(tls === undefined ? [] : ['certificate.pem', 'key.pem'])]
  if (user.uid !== undefined) for (const file of files) await chown(join(folder, file), user.uid, user.gid)
  await run(program, ['-T', 'add', '-q', '-f', join(folder, 'slapd.conf'), '-l', join(folder, 'start.ldif')], {
    ...user,
    cwd: folder,
  })
}

/** Starts a server with the entries of `ldif`. See slapd.d.mts. */
export async function startSlapd({ ldif, tls }) {
  const program = await needSlapd()
  const user = findUser(['openldap', 'nobody'])
  const base = /^dn: *(.+)$/m.exec(ldif)?.[1]?.trim()
  if (base === undefined) throw new Error('the LDIF has no entry')
  const makeAccount = (name) => ({ dn: `cn=${name},${base}`, password: randomBytes(16).toString('hex') })
  const settings = { base, account: makeAccount('registry'), admin: makeAccount('admin') }
  const folder = await mkdtemp(join(tmpdir(), 'sif-library-slapd-'))
  const url = `ldap://127.0.0.1:${await findFreePort()}`
  const secureUrl = tls === undefined ? undefined : `ldaps://127.0.0.1:${await findFreePort()}`

  let server
  const start = async () => {
    const urls = [url, secureUrl].filter(Boolean).join(' ')
    server = track(
      spawn(program, ['-d', 'none', '-f', join(folder, 'slapd.conf'), '-h', urls], {
        ...user,
        cwd: folder,
        stdio: ['ignore', 'ignore', 'pipe'],
      }),
    )
    const exited = new Promise((resolve) => server.once('exit', resolve))
    let log = ''
    server.stderr.on('data', (text) => {
      log = (log + text).slice(-10_000)
    })
    for (let tries = 0; !log.includes('slapd starting'); tries += 1) {
      if (server.exitCode !== null || tries > 300) throw new Error(`slapd did not start:\n${log}`)
      await Promise.race([wait(50), exited])
    }
  }
  const end = async (signal = 'SIGTERM') => {
    if (server === undefined || server.exitCode !== null || server.signalCode !== null) return
    const exited = new Promise((resolve) => server.once('exit', resolve))
    server.kill(signal)
    server.kill('SIGCONT') // a paused one ends too
    await exited
  }
  const stop = async () => {
    await end()
    await rm(folder, { recursive: true, force: true })
  }
  try {
    await prepare({ program, user, folder, ldif, settings, tls })
    await start()
  } catch (error) {
    await stop()
    throw error
  }
  return {
    url,
    secureUrl,
    ...settings,
    start,
    end,
    stop,
    pause: () => server.kill('SIGSTOP'),
    resume: () => server.kill('SIGCONT'),
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const server = await startSlapd({ ldif: readFileSync(process.argv[2], 'utf8') })
  const { url, base, account } = server
  process.stdout.write(
    `LDAP_URL=${url}\nLDAP_BASE='${base}'\nLDAP_BIND_DN='${account.dn}'\nLDAP_BIND_PASSWORD=${account.password}\n`,
  )
  for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => server.stop())
}
