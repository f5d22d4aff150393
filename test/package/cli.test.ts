import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { ensureBuilt } from '../e2e/harness/build.js'
import { openSqliteFile } from '../support/sqlite-file.js'
import { cleanUpAfterEach, clientOf, command, serve, succeed, temporaryFolder } from './cli-support.js'

beforeAll(ensureBuilt)
cleanUpAfterEach()

const adminToken = (data: string): string => readFileSync(join(data, 'admin-token'), 'utf8').trim()

describe('exit codes and words', () => {
  it('0 for help and version, on stdout', async () => {
    const { code, stdout, stderr } = await command(['--help'])
    expect([code, stderr]).toEqual([0, ''])
    for (const name of ['serve', 'user', 'token', 'visibility', 'remote', 'doctor', 'sweep', 'verify'])
      expect(stdout).toMatch(new RegExp(`^  ${name}\\b`, 'm'))
    expect(await succeed(['--version'])).toMatch(/^\d+\.\d+\.\d+/)
    expect(await succeed(['serve', '--help'])).toContain('SIF_LIBRARY_DATA')
  })

  it.each([
    [['serve', '--prot', '1'], /unknown option '--prot'\n\(Did you mean --port\?\)/],
    [['serv'], /unknown command 'serv'\n\(Did you mean serve\?\)/],
    [['serve', '--port', 'http'], /--port: expected a port from 0 to 65535, not "http"/],
    [['serve', '--public-url', 'library.example.org'], /--public-url: expected an http or https URL/],
    [['serve', '--storage', 'ftp://a'], /storage: expected filesystem:DIR or s3:/],
    [['serve', '--storage', 's3://b?endpiont=http://a'], /unknown parameter "endpiont"/],
    [['serve', '--metadata', 'mysql://me:word@a'], /metadata: expected sqlite:FILE or postgres:/],
    [['serve', '--config', '/nix.yaml'], /cannot read \/nix.yaml/],
    [['token', 'create'], /the name is missing/],
    [['remote', '--with-token'], /--user is missing/],
    [['user', 'add'], /missing required argument 'name'/],
    [['verify', '--rate', '0B'], /^sif-library: --rate: expected a size such as .*, and more than 0, not "0B"/],
    [
      ['sweep', '--upload-time', '0s'],
      /^sif-library: --upload-time: expected a time such as .*, and more than 0, not "0s"/,
    ],
    [['serve', '--part-size', '0B'], /--part-size: expected a size/],
    [
      ['visibility', 'a', 'secret'],
      /'secret' is invalid for argument 'visibility'. Allowed choices are private, public/,
    ],
    [[], /Usage: sif-library/],
  ])('2 for wrong usage: %j', async (args, words) => {
    const folder = await temporaryFolder()
    const { code, stdout, stderr } = await command(args, { cwd: folder })
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toMatch(words)
    expect(stderr).not.toMatch(/\n\s+at |word@/)
  })

  it('2 for an unknown environment variable', async () => {
    const { code, stderr } = await command(['user', 'list'], { env: { SIF_LIBRARY_DATTA: 'x' } })
    expect([code, stderr]).toEqual([
      2,
      'sif-library: unknown environment variable SIF_LIBRARY_DATTA: did you mean SIF_LIBRARY_DATA?\n',
    ])
  })

  it('1 with one line when the work fails', async () => {
    const folder = await temporaryFolder()
    const data = join(folder, 'data')
    const server = await serve(data)
    writeFileSync(join(folder, 'file'), '')
    const fails = async (args: readonly string[], words: RegExp): Promise<void> => {
      const { code, stdout, stderr } = await command(args)
      expect([code, stdout], args.join(' ')).toEqual([1, ''])
      expect(stderr, args.join(' ')).toMatch(words)
      expect(stderr.trimEnd().split('\n'), args.join(' ')).toHaveLength(1)
    }
    await fails(
      ['serve', '--data', data, '--port', new URL(server.url).port],
      /^sif-library: port \d+ of 127\.0\.0\.1 is in use: choose another one with --port/,
    )
    await fails(
      ['serve', '--data', join(folder, 'file'), '--port', '0'],
      /^sif-library: cannot create the data folder .*file: EEXIST/,
    )
    await fails(
      ['serve', '--data', join(folder, 'file', 'below'), '--port', '0'],
      /^sif-library: cannot create the data folder .*: ENOTDIR/,
    )
    await fails(
      ['serve', '--data', data, '--port', '0', '--host', '192.0.2.1'],
      /^sif-library: 192\.0\.2\.1 is no address of this machine/,
    )
    await fails(
      ['serve', '--data', data, '--port', '0', '--secret-file', join(folder, 'nix')],
      /^sif-library: cannot read the secret: ENOENT/,
    )
    await fails(
      ['user', 'list', '--data', join(folder, 'typo')],
      /^sif-library: there is no registry in .*typo: run "sif-library serve" on it first/,
    )
    await fails(['user', 'add', 'admin', '--data', data], /^sif-library: there is a user admin already/)
    await fails(['user', 'remove', 'nobody', '--data', data], /^sif-library: no such user: nobody/)
    await fails(['token', 'create', '--user', 'nobody', '--data', data], /^sif-library: no such user: nobody/)
    await fails(['token', 'revoke', '0123456789abcdef01234567', '--data', data], /^sif-library: no such token/)
    await fails(['visibility', 'nobody', '--data', data], /^sif-library: no such entity: nobody/)
    expect(existsSync(join(folder, 'typo'))).toBe(false)
  })

  it('a database of no registry is one line too', async () => {
    const folder = await temporaryFolder()
    writeFileSync(join(folder, 'registry.db'), 'no database at all, '.repeat(100))
    const { code, stderr } = await command(['serve', '--data', folder, '--port', '0'])
    expect(code).toBe(1)
    expect(stderr).toMatch(/^sif-library: metadata: .*\n$/)
  })
})

describe('accounts beside a running server', () => {
  it('have effect at once', async () => {
    const data = await temporaryFolder()
    const { url } = await serve(data)
    const at = ['--data', data]
    const works = async (token: string): Promise<boolean> =>
      (await clientOf(url, token).call('GET', '/v1/token-status')).status === 200

    expect(await succeed(['user', 'add', 'alice', '--group', 'lab', '--group', 'hpc,tools', ...at])).toBe('added alice')
    const { stdout, stderr } = await command(['token', 'create', '--user', 'alice', '--label', 'laptop', ...at])
    expect(stderr).toBe('')
    expect(stdout).toMatch(/^\S{200,4096}\n$/)
    const token = stdout.trim()
    expect(await works(token)).toBe(true)
    await clientOf(url, token).push('lab/demo/hello', Buffer.from('of the lab'))

    const listed = JSON.parse(await succeed(['token', 'list', '--user', 'alice', '--json', ...at]))
    expect(listed).toEqual([
      expect.objectContaining({
        userName: 'alice',
        label: 'laptop',
        scopes: [],
        expiresAt: null,
        lastUsedAt: expect.any(Number),
      }),
    ])
    expect(JSON.stringify(listed)).not.toContain('hash')
    expect(await succeed(['token', 'list', ...at])).toMatch(/^ID +USER +LABEL .*LAST USE\n.*alice +laptop/)
    expect(await succeed(['token', 'revoke', listed[0].id, ...at])).toBe(`revoked ${listed[0].id}`)
    expect(await works(token)).toBe(false)

    const second = await succeed(['token', 'create', '--user', 'alice', ...at])
    expect(await works(second)).toBe(true)
    expect(JSON.parse(await succeed(['user', 'list', '--json', ...at]))).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ name: 'alice', admin: false, groups: ['lab', 'hpc', 'tools'] }),
      ]),
    )
    await succeed(['user', 'remove', 'alice', ...at])
    expect(await works(second)).toBe(false)
  })

  it('scopes and expiry hold', async () => {
    const data = await temporaryFolder()
    const { url } = await serve(data)
    const at = ['--data', data]
    await succeed(['user', 'add', 'alice', ...at])
    const scoped = clientOf(
      url,
      await succeed(['token', 'create', '--user', 'alice', '--scope', 'push:alice/tools', ...at]),
    )
    // the entity itself is above the scope
    await clientOf(url, await succeed(['token', 'create', '--user', 'alice', ...at])).push(
      'alice/tools/first',
      Buffer.from('1'),
    )
    await expect(scoped.push('alice/tools/hello', Buffer.from('hello'))).resolves.toMatch(/^sha256\./)
    await expect(scoped.push('alice/other/hello', Buffer.from('hello'))).rejects.toThrow(/answered 40[134]/)

    const brief = await succeed(['token', 'create', '--user', 'alice', '--expires', '1s', ...at])
    await new Promise((resolve) => setTimeout(resolve, 1100))
    expect((await clientOf(url, brief).call('GET', '/v1/token-status')).status).toBe(404)
    const wrong = await command(['token', 'create', '--user', 'alice', '--scope', 'fly', ...at])
    expect([wrong.code, wrong.stdout]).toEqual([2, ''])
    expect(wrong.stderr).toContain('"fly" does not start with one of pull, push, delete, manage, admin')
  })
})

describe('visibility', () => {
  it('--create makes a place that is private before its first push', async () => {
    const data = await temporaryFolder()
    const { url } = await serve(data)
    const at = ['--data', data]
    const path = 'admin/demo/secret'
    expect(await succeed(['visibility', path, 'private', '--create', ...at])).toBe(`${path} private`)
    await clientOf(url, adminToken(data)).push(path, Buffer.from('hello'))
    expect((await clientOf(url).pull(`${path}:latest`)).status).toBe(404)
    expect((await clientOf(url, adminToken(data)).pull(`${path}:latest`)).status).toBe(200)
    await succeed(['user', 'add', 'bob', ...at])
    await succeed(['visibility', 'lab/tools', 'private', '--create', '--user', 'bob', ...at])
    for (const [exit, words, args] of [
      [2, /--create needs the word private or public/, ['lab', '--create']],
      [2, /--user names the owner/, ['lab', 'private', '--user', 'bob']],
      [1, /no such user: nobody/, ['lab/x', 'private', '--create', '--user', 'nobody']],
    ] as const) {
      const { code, stderr } = await command(['visibility', ...args, ...at])
      expect([code, stderr]).toEqual([exit, expect.stringMatching(words)])
    }
  })

  it('hides and shows beside a running server', async () => {
    const data = await temporaryFolder()
    const { url } = await serve(data)
    const path = 'admin/demo/hello'
    await clientOf(url, adminToken(data)).push(path, Buffer.from('hello'))
    const anonymous = async (): Promise<number> => (await clientOf(url).pull(`${path}:latest`)).status
    const at = ['--data', data]
    expect(await succeed(['visibility', path, ...at])).toBe(`${path} public`)
    expect(await anonymous()).toBe(200)
    expect(await succeed(['visibility', path, 'private', ...at])).toBe(`${path} private`)
    expect(await anonymous()).not.toBe(200)
    await succeed(['visibility', path, 'public', ...at])
    await succeed(['visibility', 'admin/demo', 'private', ...at])
    expect(JSON.parse(await succeed(['visibility', path, '--json', ...at]))).toEqual({
      kind: 'container',
      path,
      private: false,
      privateByCollection: true,
    })
    expect(await anonymous()).not.toBe(200)
    await succeed(['visibility', 'admin/demo', 'public', ...at])
    expect(await anonymous()).toBe(200)
  })
})

describe('remote', () => {
  const other =
    'Active: cloud\nRemotes:\n  cloud:\n    URI: cloud.example.org\n    System: true\n    Exclusive: false\n'

  it('prints an entry whose token works', async () => {
    const data = await temporaryFolder()
    const { url } = await serve(data)
    const { Active, Remotes } = parse(
      await succeed(['remote', 'local', '--user', 'admin', '--with-token', '--data', data]),
    )
    expect(Active).toBe('local')
    expect(Remotes.local).toEqual({
      URI: url,
      Token: expect.stringMatching(/^\S{200,}$/),
      System: false,
      Exclusive: false,
      Insecure: true,
    })
    expect((await clientOf(url, Remotes.local.Token).call('GET', '/v1/token-status')).status).toBe(200)
  })

  it('--write merges into the files of both clients', async () => {
    const [data, home] = [await temporaryFolder(), await temporaryFolder()]
    const { url } = await serve(data)
    mkdirSync(join(home, '.singularity'), { mode: 0o755 })
    writeFileSync(join(home, '.singularity', 'remote.yaml'), other)
    const output = await succeed(['remote', '--user', 'admin', '--write', '--data', data], { env: { HOME: home } })
    const files = ['.singularity', '.apptainer'].map((folder) => join(home, folder, 'remote.yaml'))
    const [singularity, apptainer] = files.map((file) => parse(readFileSync(file, 'utf8')))
    const entry = { URI: url, Token: expect.any(String), System: false, Exclusive: false, Insecure: true }
    expect(singularity).toEqual({
      Active: 'sif-library',
      Remotes: { cloud: parse(other).Remotes.cloud, 'sif-library': entry },
    })
    expect(apptainer).toEqual({ Active: 'sif-library', Remotes: { 'sif-library': entry } })
    for (const file of files) expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(readFileSync(`${files[0]}.bak`, 'utf8')).toBe(other)
    expect(output).toBe(`wrote ${files[0]} (before: ${files[0]}.bak)\nwrote ${files[1]}`)
    expect(output).not.toContain(apptainer.Remotes['sif-library'].Token)

    // no token is made for a file that cannot take it
    const tokens = async () => JSON.parse(await succeed(['token', 'list', '--json', '--data', data])).length
    const made = await tokens()
    writeFileSync(files[1] ?? '', 'Remotes: [')
    const { code, stderr } = await command(['remote', 'third', '--user', 'admin', '--write', '--data', data], {
      env: { HOME: home },
    })
    expect([code, stderr]).toEqual([
      1,
      `sif-library: ${files[1]} was left as it is: it is no valid YAML file of remotes\n`,
    ])
    expect(await tokens()).toBe(made)
    expect(readFileSync(files[0] ?? '', 'utf8')).not.toContain('third')
    writeFileSync(files[1] ?? '', 'Active: sif-library\n')

    const elsewhere = join(home, 'elsewhere')
    const env = { HOME: home, APPTAINER_CONFIGDIR: elsewhere }
    expect(await succeed(['remote', 'second', '--user', 'admin', '--write', '--data', data], { env })).toContain(
      `wrote ${join(elsewhere, 'remote.yaml')}`,
    )
    expect(parse(readFileSync(files[1] ?? '', 'utf8')).Active).toBe('sif-library')
  })

  it('takes --url, then the public URL, then where serve listens; and says so when there is none', async () => {
    const data = await temporaryFolder()
    const server = await serve(data, ['--public-url', 'https://library.example.org'])
    const uri = async (...args: readonly string[]): Promise<string> =>
      parse(await succeed(['remote', '--user', 'admin', '--data', data, ...args])).Remotes['sif-library'].URI
    expect(await uri()).toBe('https://library.example.org')
    expect(await uri('--url', 'https://other.example.org:8443/')).toBe('https://other.example.org:8443')
    await server.stop()
    const { code, stderr } = await command(['remote', '--user', 'admin', '--data', data])
    expect([code, stderr]).toEqual([
      1,
      'sif-library: serve does not run on this data folder: say where the registry is with --url\n',
    ])
  })
})

describe('a registry that is not there', () => {
  it('a mistyped --metadata or --data founds none', async () => {
    const data = await temporaryFolder()
    const file = join(data, 'typo', 'registry.db')
    for (const words of [['user', 'add', 'alice'], ['sweep'], ['verify']]) {
      const { code, stderr } = await command([...words, '--data', data, '--metadata', `sqlite:${file}`])
      expect([code, stderr]).toEqual([
        1,
        `sif-library: there is no registry in ${file}: is --metadata that of serve?\n`,
      ])
    }
    expect(existsSync(join(data, 'typo'))).toBe(false)
  })

  it('what Kubernetes says of a Service called sif-library is no option', async () => {
    const env = {
      SIF_LIBRARY_SERVICE_HOST: '10.0.0.1',
      SIF_LIBRARY_PORT: 'tcp://10.0.0.1:80',
      SIF_LIBRARY_PORT_80_TCP_ADDR: '10.0.0.1',
      SIF_LIBRARY_SERVICE_PORT: '80',
    }
    const { url } = await serve(await temporaryFolder(), [], env)
    expect((await fetch(`${url}/version`)).status).toBe(200)
  })
})

describe('sweep and verify', () => {
  const blobsOf = async (data: string): Promise<readonly string[]> => {
    const entries = await readdir(join(data, 'blobs'), { recursive: true, withFileTypes: true })
    return entries
      .filter((entry) => entry.isFile() && entry.parentPath.includes('sha256'))
      .map((entry) => join(entry.parentPath, entry.name))
  }

  it('a dry run explains, a sweep deletes what no image refers to, and nothing else', async () => {
    const data = await temporaryFolder()
    const { url } = await serve(data)
    const client = clientOf(url, adminToken(data))
    await client.push('admin/demo/gone', Buffer.from('gone'))
    await client.push('admin/demo/kept', Buffer.from('kept'))
    expect((await client.call('DELETE', '/v1/images/admin/demo/gone:latest?arch=amd64')).status).toBe(200)
    const at = ['--data', data]
    expect(await blobsOf(data)).toHaveLength(2)
    expect(await succeed(['sweep', ...at])).toMatch(/^0 uploads, 0 images, 0 blobs/)
    const dry = await succeed(['sweep', '--dry-run', '--grace', '0s', ...at])
    expect(dry).toMatch(
      /^would remove blob blobs\/sha256\/\S+ \(4 bytes\): no image refers to it since .*\n0 uploads, 0 images, 1 blobs/,
    )
    expect(await blobsOf(data)).toHaveLength(2)
    expect(JSON.parse(await succeed(['sweep', '--grace', '0s', '--json', ...at]))).toMatchObject({
      blobs: 1,
      bytes: 4,
      dryRun: false,
      items: [{ kind: 'blob' }],
    })
    expect(await blobsOf(data)).toHaveLength(1)
    expect((await client.pull('admin/demo/kept:latest')).bytes.toString()).toBe('kept')
  })

  it('a sweep of which a step fails says what the others removed, and ends with 1', async () => {
    const data = await temporaryFolder()
    const { url } = await serve(data)
    const client = clientOf(url, adminToken(data))
    await client.push('admin/demo/gone', Buffer.from('gone'))
    expect((await client.call('DELETE', '/v1/images/admin/demo/gone:latest?arch=amd64')).status).toBe(200)
    // a manifest that is a folder
    mkdirSync(join(data, 'blobs', 'uploads', 'odd', 'upload.json'), { recursive: true })
    const { code, stdout, stderr } = await command(['sweep', '--grace', '0s', '--json', '--data', data])
    expect(JSON.parse(stdout)).toMatchObject({
      dryRun: false,
      items: [{ kind: 'blob', bytes: 4 }],
      error: expect.stringContaining('EISDIR'),
    })
    expect([code, stderr]).toEqual([1, expect.stringContaining('EISDIR')])
    expect(await blobsOf(data)).toHaveLength(0)
  })

  it('verify finds damage, hides it and ends with 1', async () => {
    const data = await temporaryFolder()
    const { url } = await serve(data)
    const client = clientOf(url, adminToken(data))
    await client.push('admin/demo/hello', Buffer.from('hello'))
    const at = ['--data', data]
    expect(await succeed(['verify', '--all', ...at])).toBe('1 proven, 0 damaged, 0 healed, 0 unreadable; 5 bytes read')
    const [blob = ''] = await blobsOf(data)
    writeFileSync(blob, 'hallo')
    const { code, stdout } = await command(['verify', '--all', ...at])
    expect(code).toBe(1)
    expect(stdout).toMatch(/^damaged admin\/demo\/hello sha256\.[0-9a-f]{64}: .*\n0 proven, 1 damaged/)
    expect((await client.pull('admin/demo/hello:latest')).status).toBe(404)
    writeFileSync(blob, 'hello')
    expect(JSON.parse(await succeed(['verify', '--json', ...at]))).toMatchObject({
      healed: 1,
      items: [{ outcome: 'healed', path: 'admin/demo/hello' }],
    })
    expect((await client.pull('admin/demo/hello:latest')).bytes.toString()).toBe('hello')
  })

  it('a verify that is stopped says where to go on, and goes on there', async () => {
    const data = await temporaryFolder()
    const { url } = await serve(data)
    const client = clientOf(url, adminToken(data))
    for (const name of ['one', 'two']) await client.push(`admin/demo/${name}`, Buffer.from(name))
    for (const blob of await blobsOf(data)) writeFileSync(blob, 'bad')
    const at = ['--data', data]
    // after the first image it waits for three seconds
    const stopped = await command(['verify', '--all', '--rate', '1B', ...at], {
      signal: { name: 'SIGINT', when: 'damaged ' },
    })
    expect(stopped.code).toBe(130)
    expect(stopped.stdout).toMatch(/\n0 proven, 1 damaged, 0 healed, 0 unreadable; 3 bytes read\n$/)
    const [, id = ''] = /to go on from here: --after ([0-9a-f]{24})\n$/.exec(stopped.stderr) ?? []
    expect(await command(['verify', '--all', '--after', id, ...at])).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/\n0 proven, 1 damaged/),
    })
    expect((await client.pull('admin/demo/one:latest')).status).toBe(404)
    expect((await client.pull('admin/demo/two:latest')).status).toBe(404)
    const wrong = await command(['verify', '--after', 'admin/demo/one', ...at])
    expect([wrong.code, wrong.stderr]).toEqual([
      2,
      'sif-library: --after: expected the id of an image, 24 hex digits\n',
    ])
  })

  it('an S3 store brings no warning of its SDK in front of the result', async () => {
    const data = await temporaryFolder()
    const storage = 's3://images?endpoint=http://127.0.0.1:9'
    const env = { AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b', AWS_REGION: 'us-east-1' }
    const { code, stderr } = await command(['doctor', '--data', data, '--storage', storage], { env })
    expect(code).toBe(1)
    expect(stderr).not.toMatch(/Warning/)
  })

  /** From now on the database fails at this. */
  const breakDatabase = async (data: string, at: string): Promise<void> => {
    const database = await openSqliteFile(join(data, 'registry.db'))
    database.exec(`CREATE TRIGGER broken BEFORE ${at} BEGIN SELECT RAISE(ABORT, 'the disk is gone'); END`)
    database.close()
  }

  it('a verify that fails midway says what it found and where it was', async () => {
    const data = await temporaryFolder()
    const server = await serve(data)
    const client = clientOf(server.url, adminToken(data))
    for (const name of ['one', 'two']) await client.push(`admin/demo/${name}`, Buffer.from(name))
    await server.stop()
    for (const blob of await blobsOf(data)) writeFileSync(blob, 'bad')
    const database = await openSqliteFile(join(data, 'registry.db'))
    const [first, second] = database.prepare('SELECT id FROM images ORDER BY id')([])
    database.close()
    await breakDatabase(data, `UPDATE ON images WHEN NEW.id = '${second?.id}'`)
    const at = ['--data', data]
    const json = await command(['verify', '--all', '--json', ...at])
    expect(JSON.parse(json.stdout)).toEqual({
      items: [expect.objectContaining({ imageId: first?.id, outcome: 'damaged' })],
      error: expect.stringContaining('the disk is gone'),
    })
    const words = await command(['verify', '--all', ...at])
    expect(words.stdout).toMatch(
      /^damaged admin\/demo\/\S+ sha256.*\n0 proven, 1 damaged, 0 healed, 0 unreadable; \d+ bytes read\n$/,
    )
    for (const { code, stderr } of [json, words]) {
      expect(code).toBe(1)
      expect(stderr).toMatch(new RegExp(`to go on from here: --after ${first?.id}\\nsif-library: .*the disk is gone`))
    }
  })

  it('a reindex that fails midway says what it restored', async () => {
    const data = await temporaryFolder()
    const server = await serve(data)
    await clientOf(server.url, adminToken(data)).push('admin/demo/one', Buffer.from('one'))
    await server.stop()
    for (const end of ['', '-wal', '-shm']) rmSync(join(data, `registry.db${end}`), { force: true })
    const empty = await serve(data)
    await empty.stop()
    await breakDatabase(data, 'INSERT ON images')
    const { code, stdout, stderr } = await command(['reindex', '--json', '--data', data])
    expect(JSON.parse(stdout)).toEqual({
      dryRun: false,
      items: ['entity', 'collection', 'container'].map((kind) =>
        expect.objectContaining({ kind, outcome: 'restored' }),
      ),
      error: expect.stringContaining('the disk is gone'),
    })
    expect([code, stderr]).toEqual([1, expect.stringContaining('the disk is gone')])
  })
})
