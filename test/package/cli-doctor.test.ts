import { once } from 'node:events'
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, request as httpRequest } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type RunningS3Server, startMinio, startVersitygw } from '../../scripts/s3-servers.mjs'
import { sqliteMetadata } from '../../src/storage/metadata/sqlite/index.js'
import { ensureBuilt } from '../e2e/harness/build.js'
import { runOk } from '../e2e/harness/run.js'
import { freePort } from '../e2e/harness/server.js'
import { assumeRole } from '../e2e/s3/credentials.js'
import { describeOn, startOrSkip } from '../e2e/s3/servers.js'
import { cleanUpAfterEach, clientOf, command, serve, succeed, temporaryFolder } from './cli-support.js'

beforeAll(ensureBuilt)
cleanUpAfterEach()

interface Report {
  readonly ok: boolean
  readonly findings: readonly {
    readonly check: string
    readonly state: string
    readonly found: string
    readonly cause?: string
    readonly fix?: string
  }[]
}

async function examine(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Report & { readonly code: number | null; readonly text: string }> {
  const { code, stdout, stderr } = await command(['doctor', '--json', ...args], { env })
  if (stdout === '') throw new Error(stderr)
  return { ...(JSON.parse(stdout) as Report), code, text: stdout }
}

/** The one finding whose check starts so. */
function finding({ findings }: Report, check: string): Report['findings'][number] {
  const found = findings.filter((each) => each.check.startsWith(check))
  if (found.length !== 1)
    throw new Error(`${found.length} findings for ${check} in ${JSON.stringify(findings, null, 1)}`)
  return found[0] as Report['findings'][number]
}

const failures = ({ findings }: Report): readonly string[] =>
  findings.filter(({ state }) => state === 'failed').map(({ check }) => check)

/** A data folder on which serve ran. */
async function usedFolder(args: readonly string[] = []): Promise<string> {
  const data = await temporaryFolder()
  await (await serve(data, args)).stop()
  return data
}

/** One whose registry has not met its storage yet. */
async function newFolder(): Promise<string> {
  const data = await temporaryFolder()
  const metadata = sqliteMetadata({ file: join(data, 'registry.db') })
  await metadata.ready()
  await metadata.close()
  return data
}

describe('on this machine', () => {
  it('all is well after a first start, and before it nothing is made', async () => {
    const data = await usedFolder()
    const { code, stdout } = await command(['doctor', '--data', data])
    expect(stdout.trimEnd().split('\n').at(-1)).toBe('all is well')
    expect(stdout).not.toMatch(/FAILED|warning/)
    expect(code).toBe(0)
    const before = await examine(['--data', join(data, 'typo')])
    expect(finding(before, 'data folder')).toMatchObject({ state: 'warning', found: 'does not exist yet' })
    expect(existsSync(join(data, 'typo'))).toBe(false)
  })

  it('a folder that cannot be looked at is not one that is still to be made', async () => {
    const data = join(await usedFolder(), 'registry.db', 'below')
    const report = await examine(['--data', data])
    expect(finding(report, 'data folder')).toMatchObject({
      state: 'failed',
      found: expect.stringContaining('ENOTDIR'),
      fix: 'run it as the user of serve, or --data',
    })
    expect(report.code).toBe(1)
  })

  it('a folder or a secret that others may read, with the line that closes it', async () => {
    const data = await usedFolder()
    chmodSync(data, 0o755)
    chmodSync(join(data, 'secret'), 0o644)
    const report = await examine(['--data', data])
    expect([report.code, failures(report)]).toEqual([1, [`data folder ${data}`, `secret in ${join(data, 'secret')}`]])
    for (const { fix = '' } of report.findings.filter(({ state }) => state === 'failed'))
      await runOk('sh', { args: ['-c', fix] })
    expect(await succeed(['doctor', '--data', data])).toContain('all is well')
  })

  it('a short secret, and one that differs from that of the other instances; none is shown', async () => {
    const data = await usedFolder()
    const report = await examine(['--data', data], { SIF_LIBRARY_SECRET: 'short-secret-word' })
    expect(failures(report)).toEqual(['secret in SIF_LIBRARY_SECRET', 'secret of all instances'])
    expect(report.text).not.toContain('short-secret-word')
    expect(finding(await examine(['--data', data]), 'secret of all instances').state).toBe('ok')
  })

  it('a storage whose volume is not mounted, and that of another registry', async () => {
    const check = 'storage belongs to the metadata store'
    const [data = '', other = ''] = await Promise.all(
      [1, 2].map(async () => {
        const folder = await temporaryFolder()
        const server = await serve(folder)
        await clientOf(server.url, readFileSync(join(folder, 'admin-token'), 'utf8').trim()).push(
          'admin/demo/hello',
          Buffer.from('hello'),
        )
        await server.stop()
        return folder
      }),
    )
    expect(finding(await examine(['--data', data]), check)).toMatchObject({
      state: 'ok',
      found: 'both have the same mark',
    })
    const empty = await examine(['--data', data, '--storage', `filesystem:${join(await temporaryFolder(), 'empty')}`])
    expect([empty.code, failures(empty)]).toEqual([1, [check]])
    expect(finding(empty, check).cause).toContain('not mounted')
    const foreign = await examine(['--data', data, '--storage', `filesystem:${join(other, 'blobs')}`])
    expect(finding(foreign, check)).toMatchObject({
      state: 'failed',
      found: expect.stringContaining('another registry'),
      fix: expect.stringContaining('--accept-storage'),
    })
    // one without images has nothing to miss
    expect(
      finding(await examine(['--data', await newFolder(), '--storage', `filesystem:${join(other, 'blobs')}`]), check)
        .state,
    ).toBe('ok')
  })

  it('a metadata store that is none', async () => {
    const data = await usedFolder()
    writeFileSync(join(data, 'registry.db'), 'no database at all, '.repeat(100))
    const report = await examine(['--data', data])
    expect([report.code, failures(report)]).toEqual([1, ['metadata store (sqlite)']])
  })

  it('a certificate that is about to expire', async () => {
    const folder = await usedFolder()
    const make = (days: number): Promise<string> =>
      runOk('openssl', {
        args: [
          'req',
          '-x509',
          '-newkey',
          'ec',
          '-pkeyopt',
          'ec_paramgen_curve:prime256v1',
          '-nodes',
          '-days',
          `${days}`,
          '-subj',
          '/CN=a',
          '-out',
          join(folder, 'cert'),
          '-keyout',
          join(folder, 'key'),
        ],
      })
    const state = async (): Promise<string> =>
      finding(
        await examine(['--data', folder, '--tls-cert', join(folder, 'cert'), '--tls-key', join(folder, 'key')]),
        'certificate',
      ).state
    await make(90)
    expect(await state()).toBe('ok')
    await make(5)
    expect(await state()).toBe('warning')
    writeFileSync(join(folder, 'cert'), 'nonsense')
    expect(await state()).toBe('failed')
  })

  it('the public URL: answers, answers for another one, is something else, is not there', async () => {
    const data = await temporaryFolder()
    const server = await serve(data)
    const ask = async (...args: readonly string[]) =>
      finding(await examine(['--data', data, '--check-public-url', ...args]), 'discovery')
    expect(await ask()).toMatchObject({ state: 'ok' })
    expect(await ask('--public-url', server.url.replace('127.0.0.1', 'localhost'))).toMatchObject({
      state: 'failed',
      cause: 'serve runs with another public URL',
    })

    const other = createServer((_request, response) =>
      response.writeHead(301, { location: 'https://a.example' }).end(),
    ).listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { port } = other.address() as AddressInfo
    expect(await ask('--public-url', `http://127.0.0.1:${port}`)).toMatchObject({
      state: 'failed',
      found: 'status 301',
      cause: expect.stringContaining('redirect'),
    })
    other.close()
    expect(await ask('--public-url', `http://127.0.0.1:${await freePort()}`)).toMatchObject({
      state: 'failed',
      found: expect.stringContaining('ECONNREFUSED'),
    })
  })
})

const minio = await startOrSkip('minio', startMinio)
const versitygw = await startOrSkip('versitygw', startVersitygw)
afterAll(async () => {
  await minio?.stop()
  await versitygw?.stop()
})

const keysOf = (server: RunningS3Server) => ({
  AWS_ACCESS_KEY_ID: server.accessKeyId,
  AWS_SECRET_ACCESS_KEY: server.secretAccessKey,
})
const urlOf = (server: RunningS3Server, more = ''): string =>
  `s3://doctor-bucket/some/prefix?endpoint=${server.endpoint}${more}`

describeOn(minio, 'on MinIO', (server) => {
  const on = async (storage: string, env: Readonly<Record<string, string>> = keysOf(server)) =>
    examine(['--data', await newFolder(), '--storage', storage], env)

  it('proves everything, creates the bucket, and leaves nothing behind', async () => {
    const report = await on(urlOf(server))
    expect([report.code, failures(report)]).toEqual([0, []])
    for (const check of [
      'storage (s3): prepare',
      'storage (s3): write',
      'multipart upload: start',
      'clock',
      'multipart upload: list',
      'presigned ranged GET',
      'multipart upload: abort',
      'unfinished uploads',
    ])
      expect(finding(report, check), check).toMatchObject({ state: 'ok' })
    const parts = report.findings.filter(({ check }) => check.startsWith('presigned part'))
    expect(parts.map(({ found }) => found)).toEqual([
      'accepted',
      expect.stringMatching(/^refused/),
      expect.stringMatching(/^refused/),
    ])
    expect(finding(report, 'store profile')).toMatchObject({
      state: 'ok',
      found: 'MinIO; it holds URLs to the SHA-256 of their bytes, as expected',
    })
    for (const secret of [...Object.values(keysOf(server)), 'X-Amz-Signature', 'uploadId'])
      expect(report.text).not.toContain(secret)
    const { findings } = await on(urlOf(server))
    expect(findings.every(({ state }) => state === 'ok')).toBe(true)
  })

  it.each([
    ['its host and port', () => server.endpoint, 'warning', /publicEndpoint/, /all pulls of signed-in clients/],
    ['its host name', () => 'http://127.0.0.1:1', 'ok', undefined, /up to Singularity 3\.8/],
    ['nothing', () => 'https://registry.example/library', 'ok', undefined, undefined],
  ])('sends a token as signed-in clients do; registry and store share %s', async (_, url, state, fix, cause) => {
    const args = ['--data', await newFolder(), '--storage', urlOf(server), '--public-url', url()]
    const found = finding(await examine(args, keysOf(server)), 'ranged GET with a token')
    expect(found).toMatchObject({ state, found: expect.stringMatching(/^refused \(status 400 \w+ to Bearer\)/) })
    expect([found.fix ?? '', found.cause ?? '']).toEqual([
      fix === undefined ? '' : expect.stringMatching(fix),
      cause === undefined ? '' : expect.stringMatching(cause),
    ])
  })

  it.each([
    [
      'a wrong secret key',
      () => urlOf(server),
      () => ({ ...keysOf(server), AWS_SECRET_ACCESS_KEY: 'wrong-key-of-a-test' }),
      'storage (s3): prepare',
      /AWS_SECRET_ACCESS_KEY/,
    ],
    [
      'an unknown access key',
      () => urlOf(server),
      () => ({ ...keysOf(server), AWS_ACCESS_KEY_ID: 'nobody-at-all' }),
      'storage (s3): prepare',
      /AWS_ACCESS_KEY_ID/,
    ],
    [
      'a bucket that may not be made',
      () => urlOf(server, '&createBucket=false').replace('doctor-bucket', 'no-such-bucket'),
      () => keysOf(server),
      'storage (s3): prepare',
      /--storage/,
    ],
    [
      'https to an http port',
      () => urlOf(server).replace('http:', 'https:'),
      () => keysOf(server),
      'storage (s3): prepare',
      /http:\/\//,
    ],
    [
      'a region that is not the store’s',
      () => urlOf(server, '&region=eu-north-1'),
      () => keysOf(server),
      'storage (s3): prepare',
      /region=/,
    ],
  ])('%s is named, with the option to change', async (_, url, env, check, fix) => {
    const report = await on(url(), env())
    expect(report.code).toBe(1)
    expect(finding(report, check)).toMatchObject({ state: 'failed', fix: expect.stringMatching(fix) })
    expect(report.text).not.toContain('wrong-key-of-a-test')
  })

  it('a bucket that is missing, without the right to create it', async () => {
    const policy = {
      Version: '2012-10-17',
      Statement: [
        { Effect: 'Allow', Action: ['s3:ListBucket', 's3:GetObject', 's3:PutObject'], Resource: 'arn:aws:s3:::*' },
      ],
    }
    const { accessKeyId, secretAccessKey, sessionToken = '' } = await assumeRole(server, policy)
    const report = await on(urlOf(server).replace('doctor-bucket', 'not-allowed-bucket'), {
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
      AWS_SESSION_TOKEN: sessionToken,
    })
    expect(report.code).toBe(1)
    expect(finding(report, 'storage (s3): prepare')).toMatchObject({
      state: 'failed',
      found: expect.stringContaining('the bucket not-allowed-bucket does not exist and could not be created'),
      cause: expect.stringContaining('no such bucket'),
      fix: expect.stringMatching(/s3:CreateBucket.*--storage/),
    })
    for (const secret of [secretAccessKey, sessionToken]) expect(report.text).not.toContain(secret)
  })

  it.each([
    ['behind', -3_600_000],
    ['ahead', 3_600_000],
  ])('a clock that is an hour %s', async (_, shift) => {
    const clock = {
      NODE_OPTIONS: `--import ${new URL('shifted-clock.mjs', import.meta.url).href}`,
      TEST_CLOCK_SHIFT_MS: `${shift}`,
    }
    const report = await on(urlOf(server), { ...keysOf(server), ...clock })
    expect(report.code).toBe(1)
    expect(finding(report, 'clock')).toMatchObject({
      state: 'failed',
      found: expect.stringMatching(/^3(599|60\d) s apart$/),
      fix: expect.stringContaining('NTP'),
    })
    expect(finding(report, 'presigned GET')).toMatchObject({
      state: 'failed',
      found: expect.stringContaining('status 403'),
      cause: expect.stringContaining('clocks'),
      fix: expect.stringContaining('NTP'),
    })
  })

  it('a store behind a proxy that gives another name is known by what it does', async () => {
    const proxy = createServer((incoming, outgoing) => {
      const forward = httpRequest(
        new URL(incoming.url ?? '/', server.endpoint),
        { method: incoming.method, headers: incoming.headers },
        (answer) => {
          outgoing.writeHead(answer.statusCode ?? 502, { ...answer.headers, server: 'nginx' })
          answer.pipe(outgoing)
        },
      )
      forward.once('error', () => outgoing.destroy())
      incoming.pipe(forward)
    }).listen(0, '127.0.0.1')
    await once(proxy, 'listening')
    try {
      const report = await on(
        urlOf(server, `&publicEndpoint=http://127.0.0.1:${(proxy.address() as AddressInfo).port}`),
      )
      expect([report.code, failures(report)]).toEqual([0, []])
      expect(finding(report, 'store profile').found).toBe(
        'MinIO, by what it does (it calls itself "nginx"); it holds URLs to the SHA-256 of their bytes',
      )
    } finally {
      proxy.close()
    }
  })

  it('a closed port', async () => {
    const report = await on(`s3://doctor-bucket?endpoint=http://127.0.0.1:${await freePort()}`)
    expect(finding(report, 'storage (s3): prepare')).toMatchObject({
      state: 'failed',
      cause: expect.stringContaining('nothing listens there'),
    })
  })

  it('a public endpoint that nothing listens on, and one that is another store', async () => {
    const closed = await on(urlOf(server, `&publicEndpoint=http://127.0.0.1:${await freePort()}`))
    expect(finding(closed, 'presigned part')).toMatchObject({
      state: 'failed',
      fix: expect.stringContaining('publicEndpoint'),
    })
    const other = await startMinio()
    try {
      const report = await on(urlOf(server, `&publicEndpoint=${other.endpoint}`))
      expect(report.code).toBe(1)
      expect(finding(report, 'presigned part')).toMatchObject({ state: 'failed' })
    } finally {
      await other.stop()
    }
  })

  it('a proxy in front of the store that changes the Host', async () => {
    const proxy = createServer((request, response) => {
      const { host: _, ...headers } = request.headers
      request.resume()
      fetch(`${server.endpoint}${request.url}`, {
        method: request.method ?? 'GET',
        headers: { 'x-amz-content-sha256': String(headers['x-amz-content-sha256'] ?? '') },
        ...(request.method === 'PUT' ? { body: 'x' } : {}),
      })
        .then(async (answer) => response.writeHead(answer.status).end(await answer.text()))
        .catch(() => response.destroy())
    }).listen(0, '127.0.0.1')
    await once(proxy, 'listening')
    try {
      const report = await on(
        urlOf(server, `&publicEndpoint=http://127.0.0.1:${(proxy.address() as AddressInfo).port}`),
      )
      expect(finding(report, 'presigned part')).toMatchObject({
        state: 'failed',
        found: expect.stringContaining('SignatureDoesNotMatch'),
        cause: expect.stringContaining('changes the Host'),
      })
    } finally {
      proxy.close()
    }
  })

  it('a certificate of an unknown authority: named; with ca=FILE a warning for the clients', async () => {
    const folder = await temporaryFolder()
    const [cert, key] = [join(folder, 'public.crt'), join(folder, 'private.key')]
    const subject = ['-subj', '/CN=store', '-addext', 'subjectAltName=IP:127.0.0.1']
    await runOk('openssl', {
      args: [
        'req',
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:prime256v1',
        '-nodes',
        '-days',
        '2',
        ...subject,
        '-out',
        cert,
        '-keyout',
        key,
      ],
    })
    const secure = await startMinio({ certsDirectory: folder })
    try {
      expect(finding(await on(urlOf(secure), keysOf(secure)), 'storage (s3): prepare')).toMatchObject({
        state: 'failed',
        fix: expect.stringContaining('ca=FILE'),
      })
      const report = await on(urlOf(secure, `&ca=${cert}`), keysOf(secure))
      expect([report.code, failures(report)]).toEqual([0, []])
      expect(finding(report, 'certificate of https://127.0.0.1')).toMatchObject({
        state: 'warning',
        fix: expect.stringContaining('clients must trust it'),
      })
    } finally {
      await secure.stop()
    }
  })

  it('serve keeps images there: clients send them to the store itself', async () => {
    const data = await temporaryFolder()
    const running = await serve(data, ['--storage', urlOf(server), '--log-level', 'debug'], keysOf(server))
    const client = clientOf(running.url, readFileSync(join(data, 'admin-token'), 'utf8').trim())
    const { uploadUrl } = await client.startPush('admin/demo/other', Buffer.from('other bytes'))
    expect(new URL(uploadUrl).origin).toBe(server.endpoint)
    await client.push('admin/demo/hello', Buffer.from('hello'))
    expect((await client.pull('admin/demo/hello:latest')).bytes.toString()).toBe('hello')
    expect(await running.stop()).toBe(0)
    const lines = running
      .logs()
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as Record<string, unknown>)
    const calls = lines.filter(({ msg }) => msg === 's3')
    const object = new URL(uploadUrl).pathname.slice('/doctor-bucket/'.length)
    expect(calls.find((entry) => entry.object === object && entry.operation === 'presign PUT part')).toMatchObject({
      level: 20,
      ms: expect.any(Number),
      canonicalRequest: expect.stringMatching(
        /^PUT\n\/doctor-bucket\/some\/prefix\/.*\nX-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=\[redacted\]%2F.*&X-Amz-Date=\d{8}T\d{6}Z&/,
      ),
    })
    expect(calls.find(({ operation }) => operation === 'HeadObject')).toMatchObject({
      status: expect.any(Number),
      requestId: expect.any(String),
      ms: expect.any(Number),
    })
    for (const secret of [
      new URL(uploadUrl).searchParams.get('X-Amz-Signature'),
      server.secretAccessKey,
      server.accessKeyId,
    ])
      expect(running.logs()).not.toContain(secret)
  })
})

describeOn(versitygw, 'on versitygw', (server) => {
  it('says that the store does not hold URLs to a SHA-256, and proves the rest', async () => {
    const report = await examine(['--data', await newFolder(), '--storage', urlOf(server)], keysOf(server))
    expect([report.code, failures(report)]).toEqual([0, []])
    expect(report.findings.filter(({ state }) => state === 'warning')).toEqual([
      expect.objectContaining({ found: 'this store does not hold a URL to the SHA-256 of its bytes' }),
    ])
    expect(finding(report, 'presigned ranged GET')).toMatchObject({ state: 'ok' })
    expect(finding(report, 'store profile').found).toBe(
      'versitygw; it does not hold URLs to the SHA-256 of their bytes, as expected',
    )
  })
})
