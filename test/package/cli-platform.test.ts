/** Where serve runs: folders that cannot be written, a second server, sockets, file systems without links. */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { request } from 'node:http'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { describeWhen } from '../e2e/harness/availability.js'
import { CLI } from '../e2e/harness/paths.js'
import { buildRefuseLinks, type Refusals, refusing } from '../support/refuse-links.js'
import { cleanUpAfterEach, clientOf, command, serve, succeed, temporaryFolder } from './cli-support.js'

cleanUpAfterEach()
const json = (file: string) => JSON.parse(readFileSync(file, 'utf8'))
const secret = { SIF_LIBRARY_SECRET: 'a secret of the tests, forty characters long' }
const bytes = Buffer.from('SIF image '.repeat(500))

/** Status of a request over a socket. */
async function askSocket(socketPath: string, path: string): Promise<number> {
  const sent = request({ socketPath, path }).end()
  const [response] = (await once(sent, 'response')) as [{ statusCode: number; resume: () => void }]
  response.resume()
  return response.statusCode
}

describe('the data folder', () => {
  test('is not needed where nothing that lasts lies in it', async () => {
    const root = await temporaryFolder()
    writeFileSync(join(root, 'no-folder'), '')
    const args = ['--storage', `filesystem:${join(root, 'blobs')}`, '--metadata', `sqlite:${join(root, 'r.db')}`]
    const data = join(root, 'no-folder', 'data')
    const server = await serve(data, args, secret)
    expect(server.logs()).toContain('the data folder is not writable')
    expect(server.logs()).toContain('user add admin --admin')
    expect((await fetch(`${server.url}/readyz`)).status).toBe(200)
    expect(await server.stop()).toBe(0)
    // doctor calls that no fault
    const found = await command(['doctor', '--data', data, ...args], { env: secret })
    expect(found.stdout).toContain('nothing that lasts needs it')
    // and without a secret elsewhere there is something to keep
    const refused = await command(['serve', '--data', data, '--port', '0', ...args])
    expect(refused).toMatchObject({ code: 1 })
    expect(refused.stderr).toContain('cannot create the data folder')
  })

  test('keeps the record of the server that lives; a stop takes only its own', async () => {
    const data = await temporaryFolder()
    const first = await serve(data)
    const record = json(join(data, 'server.json'))
    expect(record.url).toBe(first.url)
    const second = await serve(data)
    expect(second.logs()).toContain('another server runs on this data folder')
    expect(json(join(data, 'server.json'))).toEqual(record)
    await second.stop()
    expect(json(join(data, 'server.json'))).toEqual(record)
    await first.stop()
    expect(existsSync(join(data, 'server.json'))).toBe(false)
    // what a crash leaves is written over, also where its number is another program's now
    writeFileSync(join(data, 'server.json'), JSON.stringify({ ...record, pid: 1 }))
    const third = await serve(data)
    expect(json(join(data, 'server.json')).url).toBe(third.url)
  })

  test('a missing permission is told with the file and its owner', async () => {
    const data = await temporaryFolder()
    await (await serve(data)).stop()
    chmodSync(join(data, 'secret'), 0o000)
    chmodSync(data, 0o755)
    // root reads everything
    const asNobody = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {}
    const child = spawn(process.execPath, [CLI, 'serve', '--data', data, '--port', '0'], { ...asNobody, stdio: 'pipe' })
    let said = ''
    child.stderr.on('data', (text: Buffer) => {
      said += text
    })
    const [code] = await once(child, 'close')
    expect(code).toBe(1)
    expect(said).toMatch(
      /EACCES: permission denied \(\/.*belongs to user \S+ \(mode 0\d{3}\), and this process runs as user/,
    )
  })
})

describe('a socket', () => {
  test('is listened on with mode 0660, answers, and is gone after a stop', async () => {
    const data = await temporaryFolder()
    const path = join(data, 'socket')
    const args = ['--listen', `unix:${path}`, '--public-url', 'https://library.example.org']
    const server = await serve(data, args)
    expect(server.url).toBe(`unix:${path}`)
    expect(lstatSync(path).isSocket()).toBe(true)
    expect(statSync(path).mode & 0o777).toBe(0o660)
    expect(await askSocket(path, '/readyz')).toBe(200)
    expect(await succeed(['health', '--data', data])).toContain('is ready')
    // a second one must not take it away
    const second = await command(['serve', '--data', data, '--port', '0', ...args])
    expect(second).toMatchObject({ code: 1, stderr: expect.stringContaining('in use') })
    expect(await askSocket(path, '/version')).toBe(200)
    await server.stop()
    expect(existsSync(path)).toBe(false)
    expect(await command(['health', '--data', data, '--listen', `unix:${path}`])).toMatchObject({ code: 1 })
  })

  test('that a killed server left is taken over, and what is no socket stays', async () => {
    const data = await temporaryFolder()
    const path = join(data, 'socket')
    const args = ['--listen', `unix:${path}`, '--public-url', 'https://library.example.org']
    const killed = await serve(data, args)
    await killed.kill()
    expect(existsSync(path)).toBe(true)
    const server = await serve(data, args)
    expect(await askSocket(path, '/readyz')).toBe(200)
    await server.stop()
    writeFileSync(path, 'a file of somebody')
    expect(await command(['serve', '--data', data, ...args])).toMatchObject({ code: 1 })
    expect(readFileSync(path, 'utf8')).toBe('a file of somebody')
  })

  test('needs the URL that clients use, and a path that fits', async () => {
    const data = await temporaryFolder()
    expect(await command(['serve', '--data', data, '--listen', 'unix:/tmp/x'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--public-url'),
    })
    for (const wrong of ['/tmp/x', 'unix:x', `unix:/${'x'.repeat(120)}`])
      expect((await command(['serve', '--data', data, '--listen', wrong])).code, wrong).toBe(2)
  })
})

test('an IPv6 address may stand in brackets', async () => {
  const data = await temporaryFolder()
  const server = await serve(data, ['--host', '[::1]'])
  expect(server.url).toMatch(/^http:\/\/\[::1\]:\d+$/)
  expect((await fetch(`${server.url}/readyz`)).status).toBe(200)
  expect(await succeed(['health', '--data', data])).toContain('is ready')
})

test('health follows the certificate, and fails where nobody listens or something else does', async () => {
  const data = await temporaryFolder()
  const files = { cert: join(data, 'cert.pem'), key: join(data, 'key.pem') }
  const subject = ['-subj', '/CN=library.example.org', '-days', '2', '-keyout', files.key, '-out', files.cert]
  execFileSync(
    'openssl',
    ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', ...subject],
    {
      stdio: 'ignore',
    },
  )
  const server = await serve(data, ['--tls-cert', files.cert, '--tls-key', files.key])
  expect(await succeed(['health', '--data', data])).toContain('https://')
  await server.stop()
  const silent = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1')
  await once(silent, 'listening')
  const { port } = silent.address() as { port: number }
  expect((await command(['health', '--data', data, '--port', String(port)])).code).toBe(1)
  silent.close()
})

const library = buildRefuseLinks()
const missing = library === undefined ? 'there is no cc that makes a library to preload' : undefined
describeWhen(missing, 'refused links')('a file system without hard links', () => {
  const under = (refusals: Refusals): Record<string, string> => refusing(library ?? '', refusals)

  test.each([
    ['nowhere', { REFUSE_LINKS: 'EPERM' }],
    ['inside a folder', { REFUSE_LINKS: 'EXDEV' }],
    ['with a mount on the blobs', { REFUSE_MOUNT: '/keys/' }],
  ] as const)('links %s: secret, push and pull work', async (_, refusals) => {
    const data = await temporaryFolder()
    const server = await serve(data, [], under(refusals))
    expect((await fetch(`${server.url}/readyz`)).status).toBe(200)
    const token = readFileSync(join(data, 'admin-token'), 'utf8').trim()
    const client = clientOf(server.url, token)
    await client.push('admin/tools/x', bytes)
    expect((await client.pull('admin/tools/x:latest')).bytes.equals(bytes)).toBe(true)
    await server.stop()
    expect(readFileSync(join(data, 'secret'), 'utf8').trim().length).toBeGreaterThan(30)
    expect(statSync(join(data, 'secret')).mode & 0o777).toBe(0o600)
    expect(readdirSync(data).filter((name) => name.includes('.new'))).toEqual([])
  })

  test('first starts at the same time agree on one secret', async () => {
    const data = await temporaryFolder()
    mkdirSync(join(data, 'd'))
    const env = under({ REFUSE_LINKS: 'EPERM' })
    const servers = await Promise.all(Array.from({ length: 3 }, () => serve(join(data, 'd'), [], env)))
    for (const server of servers) expect(server.logs()).not.toContain('another secret')
    expect(readdirSync(join(data, 'd')).filter((name) => name.includes('.new'))).toEqual([])
  })

  test('that refuses renames too is no place for blobs: no start, and a reason', async () => {
    const data = await temporaryFolder()
    const env = under({ REFUSE_LINKS: 'EPERM', REFUSE_RENAME: '/keys/' })
    const refused = await command(['serve', '--data', data, '--port', '0'], { env })
    expect(refused.code).toBe(1)
    expect(refused.stderr).toContain('makes no hard links and refuses the rename that stands in for them (EPERM)')
  })
})
