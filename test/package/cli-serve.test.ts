import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { chmodSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { type ClientRequest, type IncomingMessage, request } from 'node:http'
import { get as httpsGet } from 'node:https'
import { connect } from 'node:net'
import { join } from 'node:path'
import type { PeerCertificate, TLSSocket } from 'node:tls'
import { beforeAll, describe, expect, it } from 'vitest'
import { sqliteMetadata } from '../../src/storage/metadata/sqlite/index.js'
import { ensureBuilt } from '../e2e/harness/build.js'
import { runOk } from '../e2e/harness/run.js'
import { cleanUpAfterEach, clientOf, command, type Json, serve, succeed, temporaryFolder } from './cli-support.js'

beforeAll(ensureBuilt)
cleanUpAfterEach()

const mode = (file: string): string => (statSync(file).mode & 0o777).toString(8)
const read = (file: string): string => readFileSync(file, 'utf8')

describe('the first start and the next one', () => {
  it('makes a private data folder and an admin whose token works, and says what to type next', async () => {
    const data = join(await temporaryFolder(), 'new', 'data')
    const server = await serve(data, ['--log-level', 'silent'])
    expect(server.logs()).toMatch(/^listening on http:\/\/127\.0\.0\.1:\d+\n/)
    await expect.poll(() => server.logs(), { timeout: 5000 }).toContain(`remote --user admin --write --data ${data}`)
    expect(mode(data)).toBe('700')
    expect(readdirSync(data).sort()).toEqual(
      expect.arrayContaining(['admin-token', 'blobs', 'registry.db', 'secret', 'server.json']),
    )
    for (const file of readdirSync(data)) expect(mode(join(data, file)), file).toBe(file === 'blobs' ? '700' : '600')

    const token = read(join(data, 'admin-token')).trim()
    expect(token.length).toBeGreaterThanOrEqual(200)
    expect(server.logs()).not.toContain(token)
    // the link stands on stdout alone: once, and never in the log
    const links = server.logs().match(/http:\/\/127\.0\.0\.1:\d+\/ui\/sign-in#([\w-]{32})\n/g)
    expect(links).toHaveLength(1)
    const bytes = randomBytes(1000)
    await clientOf(server.url, token).push('admin/demo/hello', bytes)
    expect((await clientOf(server.url).pull('admin/demo/hello:latest')).bytes.equals(bytes)).toBe(true)
  })

  it('keeps secret, token and images, and makes no second admin', async () => {
    const data = await temporaryFolder()
    const before = await serve(data)
    const kept = [read(join(data, 'secret')), read(join(data, 'admin-token'))]
    const token = kept[1]?.trim() ?? ''
    await clientOf(before.url, token).push('admin/demo/hello', Buffer.from('hello'))
    expect(await before.stop()).toBe(0)

    const after = await serve(data, ['--log-level', 'silent'])
    expect([read(join(data, 'secret')), read(join(data, 'admin-token'))]).toEqual(kept)
    expect(after.logs()).toBe(`listening on ${after.url}\n`)
    expect((await clientOf(after.url).pull('admin/demo/hello:latest')).bytes.toString()).toBe('hello')
    expect(JSON.parse(await succeed(['token', 'list', '--json', '--data', data]))).toHaveLength(1)
  })

  it('refuses a storage that is not its own, says why, and takes it when told to', async () => {
    const data = await temporaryFolder()
    const server = await serve(data)
    await clientOf(server.url, read(join(data, 'admin-token')).trim()).push('admin/demo/hello', Buffer.from('hello'))
    await server.stop()
    renameSync(join(data, 'blobs'), join(data, 'volume'))
    for (const words of [['serve', '--port', '0'], ['sweep'], ['verify', '--all'], ['reindex']]) {
      const { code, stderr } = await command([...words, '--data', data])
      expect([code, stderr]).toEqual([
        1,
        expect.stringMatching(/not the storage of this registry.*mounted.*--accept-storage/s),
      ])
    }
    rmSync(join(data, 'blobs'), { recursive: true })
    renameSync(join(data, 'volume'), join(data, 'blobs'))
    expect((await clientOf((await serve(data)).url).pull('admin/demo/hello:latest')).bytes.toString()).toBe('hello')

    const elsewhere = ['--storage', `filesystem:${join(data, 'new')}`]
    await (await serve(data, [...elsewhere, '--accept-storage'])).stop()
    expect(await (await serve(data, elsewhere)).stop()).toBe(0)
  })

  it('an upload started before a restart goes on after it: the secret signs both', async () => {
    const data = await temporaryFolder()
    const before = await serve(data)
    const port = new URL(before.url).port
    const bytes = randomBytes(1000)
    const { uploadUrl } = await clientOf(before.url, read(join(data, 'admin-token')).trim()).startPush(
      'admin/demo/hello',
      bytes,
    )
    await before.stop()
    await serve(data, ['--port', port])
    expect((await fetch(uploadUrl, { method: 'PUT', body: bytes })).status).toBe(200)
  })
})

describe('after a crash between publishing and proof', () => {
  it.each([[[]], [['--no-sweep']]])(
    'two instances that start prove the image; what is damaged is hidden (%j)',
    async (options) => {
      const data = await temporaryFolder()
      const before = await serve(data)
      const client = clientOf(before.url, read(join(data, 'admin-token')).trim())
      const names = ['whole', 'damaged'] as const
      for (const name of names) await client.push(`admin/demo/${name}`, Buffer.from(name))
      await before.kill()
      const metadata = sqliteMetadata({ file: join(data, 'registry.db') })
      const find = (container: string) =>
        metadata.images
          .findByPath({ entity: 'admin', collection: 'demo', container }, { tag: 'latest', arch: 'amd64' })
          .then((found) => found?.image)
      const states = async (): Promise<unknown[]> => Promise.all(names.map(async (name) => (await find(name))?.state))
      for (const name of names)
        await metadata.images.setState((await find(name))?.id ?? '', ['published'], 'unproven', Date.now())
      const damaged = join(data, 'blobs', 'keys', (await find('damaged'))?.blobKey ?? '')
      chmodSync(damaged, 0o600)
      writeFileSync(damaged, 'DAMAGED')
      expect(await states()).toEqual(['unproven', 'unproven'])

      const servers = [await serve(data, options), await serve(data, options)]
      await expect.poll(states, { timeout: 20_000, interval: 250 }).toEqual(['published', 'damaged'])
      await metadata.close()
      for (const server of servers) {
        expect((await clientOf(server.url).pull('admin/demo/whole:latest')).bytes.toString()).toBe('whole')
        expect((await clientOf(server.url).pull('admin/demo/damaged:latest')).status).toBe(404)
        expect(await server.stop()).toBe(0)
      }
      expect(servers.map((server) => server.logs()).join('')).toContain('image damaged')
    },
  )
})

describe('options of serve', () => {
  it('come from a configuration file and the environment', async () => {
    const folder = await temporaryFolder()
    const config = join(folder, 'registry.yaml')
    writeFileSync(config, `data: ${join(folder, 'from-file')}\nport: 1\nno-multipart: true\n`)
    // serve() sets --data and --port, which win
    const server = await serve(join(folder, 'from-flag'), ['--config', config], { SIF_LIBRARY_DEFAULT_PRIVATE: 'true' })
    const client = clientOf(server.url, read(join(folder, 'from-flag', 'admin-token')).trim())
    const { imageId } = await client.startPush('admin/demo/hello', Buffer.from('hello'))
    expect((await client.call('POST', `/v2/imagefile/${imageId}/_multipart`, { filesize: 100_000_000 })).status).toBe(
      404,
    )
    expect((await client.call('GET', '/v1/entities/admin')).data.defaultPrivate).toBe(true)
  })

  it('a public URL with a path is served with the path and without it', async () => {
    const data = await temporaryFolder()
    const server = await serve(data, ['--public-url', 'https://portal.example/library/'])
    for (const path of ['', '/library']) {
      const response = await fetch(`${server.url}${path}/assets/config/config.prod.json`)
      expect(await response.json()).toMatchObject({ libraryAPI: { uri: 'https://portal.example/library' } })
    }
  })

  it('listening on all addresses sends a client to the host that it asked for', async () => {
    const server = await serve(await temporaryFolder(), ['--host', '0.0.0.0'])
    const { port } = new URL(server.url)
    const response = await fetch(`http://localhost:${port}/assets/config/config.prod.json`)
    expect(await response.json()).toMatchObject({ libraryAPI: { uri: `http://localhost:${port}` } })
    expect(server.logs()).toContain('set --public-url')
  })

  it('answers 404 with the error envelope outside the routes', async () => {
    const server = await serve(await temporaryFolder())
    for (const path of ['/', '/pks/lookup?op=get&search=0x1', '/v9/nothing']) {
      const response = await fetch(`${server.url}${path}`)
      expect([response.status, await response.json()]).toEqual([
        404,
        { error: { code: 404, message: expect.any(String) } },
      ])
    }
  })
})

describe('stopping', () => {
  /** An upload of which the first half is sent. */
  async function halfAnUpload(
    data: string,
    url: string,
  ): Promise<{ readonly upload: ClientRequest; readonly bytes: Buffer; readonly answer: Promise<IncomingMessage> }> {
    const bytes = randomBytes(2_000_000)
    const { uploadUrl } = await clientOf(url, read(join(data, 'admin-token')).trim()).startPush(
      'admin/demo/hello',
      bytes,
    )
    const upload = request(uploadUrl, { method: 'PUT', headers: { 'content-length': bytes.length } })
    const answer = once(upload, 'response').then(([response]) => response as IncomingMessage)
    answer.catch(() => {})
    await new Promise((resolve) => upload.write(bytes.subarray(0, 1_000_000), resolve))
    // until the server has taken the first bytes in
    await new Promise((resolve) => setTimeout(resolve, 300))
    return { upload, bytes, answer }
  }

  function isRunning(pid: number): boolean {
    try {
      return process.kill(pid, 0)
    } catch {
      return false
    }
  }

  function refuses(url: string): Promise<boolean> {
    const { hostname, port } = new URL(url)
    return new Promise((resolve) => {
      const socket = connect(Number(port), hostname)
      socket.once('connect', () => resolve(false)).once('error', () => resolve(true))
      socket.once('connect', () => socket.destroy())
    })
  }

  it.each(['SIGTERM', 'SIGINT'] as const)(
    '%s: no new connection, the upload under way ends well, exit code 0',
    async (signal) => {
      const data = await temporaryFolder()
      const server = await serve(data)
      const { upload, bytes, answer } = await halfAnUpload(data, server.url)
      const { pid } = JSON.parse(read(join(data, 'server.json'))) as { pid: number }
      process.kill(pid, signal)
      await expect.poll(() => refuses(server.url), { timeout: 5000 }).toBe(true)
      upload.end(bytes.subarray(1_000_000))
      const response = await answer
      expect(response.statusCode).toBe(200)
      expect(response.headers.connection).toBe('close')
      response.resume()
      // stop() sends a SIGTERM, which as the second one would end it at once: so only after it has ended
      await expect.poll(() => isRunning(pid), { timeout: 5000 }).toBe(false)
      expect(await server.stop()).toBe(0)
      expect(server.logs()).toContain('"msg":"stopped"')
    },
  )

  it('connections without a request do not hold it up: neither kept alive nor never used', async () => {
    const server = await serve(await temporaryFolder())
    const { hostname, port } = new URL(server.url)
    const unused = connect(Number(port), hostname)
    await once(unused, 'connect')
    unused.on('error', () => {})
    const socket = connect(Number(port), hostname)
    socket.write(`GET /version HTTP/1.1\r\nHost: ${hostname}\r\n\r\n`)
    await once(socket, 'data')
    const began = Date.now()
    expect(await server.stop()).toBe(0)
    expect(Date.now() - began).toBeLessThan(3000)
    socket.destroy()
  })

  it('a second signal ends it at once', async () => {
    const data = await temporaryFolder()
    const server = await serve(data)
    const { upload } = await halfAnUpload(data, server.url)
    upload.on('error', () => {})
    const { pid } = JSON.parse(read(join(data, 'server.json'))) as { pid: number }
    process.kill(pid, 'SIGTERM')
    await expect.poll(() => refuses(server.url), { timeout: 5000 }).toBe(true)
    expect(await server.stop()).toBe(143)
  })
})

describe('https', () => {
  async function certificate(folder: string, name: string): Promise<readonly [string, string]> {
    const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
    const args = [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-days',
      '2',
      '-subj',
      `/CN=${name}`,
    ]
    await runOk('openssl', { args: [...args, '-addext', 'subjectAltName=IP:127.0.0.1', '-out', cert, '-keyout', key] })
    return [cert, key]
  }

  const ask = (
    url: string,
    ca: string,
  ): Promise<{ readonly status: number | undefined; readonly subject: PeerCertificate['subject'] }> =>
    new Promise((resolve, reject) => {
      httpsGet(`${url}/version`, { ca, agent: false }, (response) => {
        resolve({ status: response.statusCode, subject: (response.socket as TLSSocket).getPeerCertificate().subject })
        response.resume()
      }).once('error', reject)
    })

  it('serves with a certificate, and reads it again on SIGHUP', async () => {
    const folder = await temporaryFolder()
    const [cert, key] = await certificate(folder, 'first')
    const data = join(folder, 'data')
    const server = await serve(data, ['--tls-cert', cert, '--tls-key', key])
    expect(server.url).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/)
    expect(await ask(server.url, read(cert))).toMatchObject({ status: 200, subject: { CN: 'first' } })

    await certificate(folder, 'second')
    const { pid } = JSON.parse(read(join(data, 'server.json'))) as { pid: number }
    process.kill(pid, 'SIGHUP')
    await expect.poll(() => server.logs(), { timeout: 5000 }).toContain('certificate read again')
    expect(await ask(server.url, read(cert))).toMatchObject({ subject: { CN: 'second' } })

    // a broken one is refused, and the server goes on
    writeFileSync(cert, 'nonsense')
    process.kill(pid, 'SIGHUP')
    await expect.poll(() => server.logs(), { timeout: 5000 }).toContain('the old one stays')
    await certificate(folder, 'third')
    await expect(ask(server.url, read(cert))).rejects.toThrow()
    expect(await server.stop()).toBe(0)
  })

  it('refuses one of the pair alone, files that are none, and a key of another certificate', async () => {
    const folder = await temporaryFolder()
    const [cert] = await certificate(folder, 'one')
    const data = join(folder, 'data')
    const alone = await command(['serve', '--data', data, '--port', '0', '--tls-cert', cert])
    expect([alone.code, alone.stderr]).toEqual([
      2,
      'sif-library: --tls-cert and --tls-key belong together: one of them is missing\n',
    ])
    const twice = await command(['serve', '--data', data, '--port', '0', '--tls-cert', cert, '--tls-key', cert])
    expect(twice.code).toBe(1)
    expect(twice.stderr).toMatch(/^sif-library: the certificate .* do not work: .*\n$/)
    const missing = await command([
      'serve',
      '--data',
      data,
      '--port',
      '0',
      '--tls-cert',
      cert,
      '--tls-key',
      join(folder, 'nix'),
    ])
    expect(missing.code).toBe(1)
    expect(missing.stderr).toMatch(/^sif-library: --tls-key: cannot read .*nix: ENOENT.*\n$/)
  })
})

describe('the log', () => {
  // the second one ends it at once
  it.each([[['SIGTERM']], [['SIGTERM', 'SIGINT']]] as const)(
    'loses no line of a burst before %j, and keeps their order',
    async (signals) => {
      const data = await temporaryFolder()
      const server = await serve(data)
      const { pid } = JSON.parse(read(join(data, 'server.json'))) as { pid: number }
      const { port } = new URL(server.url)
      // pipelined over one connection: the answers, and so the lines, come in this order
      const socket = connect(Number(port), '127.0.0.1')
      socket.on('error', () => {})
      let asked = 0
      // some wait at the server all the time, fewer than it lets wait on one connection
      const ask = (): void => {
        if (asked < 2000) socket.write(`GET /version HTTP/1.1\r\nhost: a\r\nx-request-id: burst-${asked++}\r\n\r\n`)
      }
      let answers = 0
      socket.on('data', (chunk) => {
        // in the middle of the burst, when lines wait
        if (answers === 0) for (const signal of signals) process.kill(pid, signal)
        const came = chunk.toString('latin1').split('x-request-id: burst-').length - 1
        answers += came
        for (let count = 0; count < came; count += 1) ask()
      })
      // a reset is an end like another
      const closed = new Promise((resolve) => socket.once('close', resolve))
      for (let count = 0; count < 30; count += 1) ask()
      await closed
      await server.stop()
      // the last line of all, written when nothing keeps the process alive any more
      if (signals.length === 1) await expect.poll(() => server.logs()).toContain('"msg":"stopped"}')
      expect(answers).toBeGreaterThan(0)
      const ids = server
        .logs()
        .split('\n')
        .filter((line) => line.includes('"burst-'))
        .map((line) => JSON.parse(line).requestId)
      // each answer that the client got has its line
      expect(ids.length).toBeGreaterThanOrEqual(answers)
      expect(ids).toEqual(Array.from({ length: ids.length }, (_, index) => `burst-${index}`))
    },
  )

  it('says who did what: a line for each event, with path, hash, name and address', async () => {
    const data = await temporaryFolder()
    const server = await serve(data)
    const client = clientOf(server.url, read(join(data, 'admin-token')).trim())
    const hash = await client.push('admin/demo/hello', Buffer.from('hello'))
    await clientOf(server.url).pull('admin/demo/hello:latest')
    await client.call('DELETE', '/v1/images/admin/demo/hello:latest?arch=amd64')
    expect(await server.stop()).toBe(0)
    const lines = server
      .logs()
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as Json)
    const path = 'admin/demo/hello'
    const by = { level: 30, time: expect.any(String), principalName: 'admin', remote: '127.0.0.1' }
    for (const [msg, facts] of [
      ['user.added', { user: 'admin', principal: null }],
      ['image.published', { path, hash, ...by }],
      ['tag.moved', { path, hash, tag: 'latest', arch: 'amd64', ...by }],
      ['image.pulled', { path, hash, ...by, principalName: null }],
      ['tag.removed', { path, hash, tag: 'latest', ...by }],
      ['image.deleted', { path, hash, ...by }],
    ] as const)
      expect(
        lines.filter((line) => line.msg === msg),
        msg,
      ).toEqual([expect.objectContaining(facts)])
    expect(lines.filter(({ msg }) => msg === 'token.created')).toMatchObject([
      { user: 'admin', label: 'first start', principal: null },
      { user: 'admin', label: 'sign-in link', principal: null },
    ])
    expect(lines.find((line) => line.route === 'images.delete')).toMatchObject({
      path: '/v1/images/admin/demo/hello:latest',
      principalName: 'admin',
      remote: '127.0.0.1',
    })
  })

  it('has a line with a request id for each request, and holds no token and no capability', async () => {
    const data = await temporaryFolder()
    const server = await serve(data, ['--log-level', 'debug'])
    const token = read(join(data, 'admin-token')).trim()
    const client = clientOf(server.url, token)
    const bytes = randomBytes(1000)
    const { uploadUrl } = await client.startPush('admin/demo/other', bytes)
    const capability = new URL(uploadUrl).pathname.split('/').at(-1) ?? ''
    expect(capability.length).toBeGreaterThan(50)
    await fetch(uploadUrl, { method: 'PUT', body: randomBytes(1000) })
    await client.push('admin/demo/hello', bytes)
    await client.pull('admin/demo/hello:latest')
    const wrong = `sif_${'x'.repeat(204)}`
    expect((await clientOf(server.url, wrong).call('GET', '/v1/token-status')).status).toBe(404)
    const asked = await fetch(`${server.url}/v1/images/a/b/c:d`, { headers: { 'x-request-id': 'asked-by-test' } })
    expect(asked.headers.get('x-request-id')).toBe('asked-by-test')
    expect(await server.stop()).toBe(0)

    const log = server.logs()
    for (const secret of [token, wrong, capability, read(join(data, 'secret')).trim()])
      expect(log).not.toContain(secret)
    const lines = log.split('\n').filter((line) => line.startsWith('{'))
    const requests = lines
      .map((line) => JSON.parse(line) as { msg: string; requestId?: string })
      .filter(({ msg }) => msg === 'request')
    expect(requests.length).toBeGreaterThan(15)
    expect(new Set(requests.map(({ requestId }) => requestId)).size).toBe(requests.length)
    expect(requests.some(({ requestId }) => requestId === 'asked-by-test')).toBe(true)
  })
})
