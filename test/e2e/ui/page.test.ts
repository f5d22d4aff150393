/** The page in a real browser, through `serve`: what people do, end to end, with bytes compared by a real client. */
import { spawnSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser } from 'playwright-core'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { installS3Server, type RunningS3Server, startMinio } from '../../../scripts/s3-servers.mjs'
import { makeSif } from '../../fixtures/sif.js'
import { json, partition, sifFile, signature, TYPES } from '../../fixtures/sif-file.js'
import { describeWhen } from '../harness/availability.js'
import {
  browserMissing,
  checkAccessibility,
  openBrowser,
  overflowOf,
  signIn,
  uploadFiles,
  type Visit,
  type VisitOptions,
  visit,
} from '../harness/browser.js'
import { COMMAND_LINES, commandLineMissing } from '../harness/cli-build.js'
import { type CommandLineUser, makeCommandLineUser } from '../harness/command-line.js'
import { CLI } from '../harness/paths.js'
import { startServeOn } from '../harness/s3-registry.js'
import { freePort, type ServeRegistry, startServe } from '../harness/server.js'

const apptainer = COMMAND_LINES.find(({ program }) => program === 'apptainer')
const missing = browserMissing() ?? (apptainer === undefined ? 'no Apptainer' : commandLineMissing(apptainer))

let browser: Browser
let folder = ''
let cli: CommandLineUser

/** A file that says it is a SIF image, with random bytes behind; large ones go in several parts. */
async function makeFile(name: string, { arch = 'amd64', extra = 0 } = {}): Promise<string> {
  const file = join(folder, name)
  await writeFile(file, Buffer.concat([makeSif({ arch }), randomBytes(extra + 16)]))
  return file
}

const digestOf = async (file: string): Promise<string> =>
  createHash('sha256')
    .update(await readFile(file))
    .digest('hex')

/** The client has no library at all before it is signed in, by the line that the page shows. */
async function useRemote(registry: ServeRegistry): Promise<void> {
  const { status, stderr } = spawnSync(process.execPath, [CLI, 'login', registry.url], {
    env: { ...process.env, HOME: cli.home },
    input: `${registry.token}\n`,
    encoding: 'utf8',
  })
  expect([status, stderr]).toEqual([0, `sif-library is the active remote now: ${registry.url}\n`])
}

/** What a real client pulls with the line that the page shows; the digest of its bytes. */
async function pullLine(line: string): Promise<string> {
  const [program, ...args] = line.split(' ')
  expect(program).toBe('apptainer')
  const target = join(folder, `pulled-${randomBytes(4).toString('hex')}.sif`)
  const reference = args.pop() ?? ''
  await cli.run([...args, '--disable-cache', target, reference])
  return digestOf(target)
}

const describePage = describeWhen(missing, 'the page in a browser')

beforeAll(async () => {
  if (missing !== undefined || apptainer === undefined) return
  folder = await mkdtemp(join(tmpdir(), 'sif-library-ui-'))
  browser = await openBrowser()
  cli = await makeCommandLineUser(apptainer)
})
afterAll(async () => {
  await browser?.close()
  await cli?.remove()
  if (folder !== '') await rm(folder, { recursive: true, force: true })
})

let open: Visit[] = []
async function visitor(options?: VisitOptions): Promise<Visit> {
  const made = await visit(browser, options)
  open.push(made)
  return made
}
afterEach(async () => {
  for (const { close } of open) await close()
  open = []
})

describePage('through a filesystem, at the root', () => {
  let registry: ServeRegistry
  beforeAll(async () => {
    registry = await startServe({ args: ['--part-size', '5MiB', '--ui-title', 'Genome Centre images'] })
    await useRemote(registry)
  })
  afterAll(async () => {
    await registry?.stop()
  })

  it('leads a newcomer in by the printed link, which leaves no trace and is good once', async () => {
    const printed = (): string => /^ +(http\S+\/ui\/sign-in#\S+)$/m.exec(registry.logs())?.[1] ?? ''
    await expect.poll(printed).not.toBe('')
    const link = printed()
    const code = link.split('#')[1] ?? 'none'
    const { page, errors, origins } = await visitor()
    await page.goto(link)
    await page.getByRole('banner').getByRole('button', { name: 'admin' }).waitFor()
    expect(page.url()).not.toContain(code)
    await expect.poll(() => page.title()).toBe('Images - Genome Centre images')
    const names = await page.getByRole('navigation', { name: 'Registry' }).getByRole('link').allTextContents()
    expect(names).toEqual(['Browse', 'Upload', 'Usage', 'Tokens', 'Activity', 'Admin'])
    expect(await page.evaluate('document.cookie')).toBe('')
    expect([errors, [...origins]]).toEqual([[], [registry.url]])
    const other = await visitor()
    await other.page.goto(link)
    await other.page.getByRole('alert').filter({ hasText: 'has been used' }).waitFor()
  })

  it('signs in by a token, says when it is wrong, and signs out', async () => {
    const { page, addresses } = await visitor()
    await page.goto(`${registry.url}/ui/`)
    await page.getByRole('banner').getByRole('link', { name: 'Sign in' }).click()
    await page.getByLabel('Access token').fill('wrong')
    await page.getByRole('main').getByRole('button', { name: 'Sign in' }).click()
    await page.getByRole('alert').filter({ hasText: 'not valid' }).waitFor()
    await signIn(page, registry)
    await page.getByRole('banner').getByRole('button', { name: 'admin' }).waitFor()
    const kept = await page.evaluate('JSON.stringify({ ...localStorage, ...sessionStorage }) + document.body.innerHTML')
    expect(kept).not.toContain(registry.token)
    expect(addresses.join('\n')).not.toContain(registry.token)
    await page.getByRole('banner').getByRole('button', { name: 'admin' }).click()
    await page.getByRole('menuitem', { name: 'Sign out' }).click()
    await page.getByRole('banner').getByRole('link', { name: 'Sign in' }).waitFor()
    await page.reload()
    await page.getByRole('banner').getByRole('link', { name: 'Sign in' }).waitFor()
  })

  it('uploads in parts what a real client then pulls by the line of the page', async () => {
    const { page, errors, origins } = await visitor()
    await signIn(page, registry)
    const file = await makeFile('bwa.sif', { extra: 12_000_000 })
    await uploadFiles(page, { url: registry.url, path: 'admin/tools/bwa', tags: '1.0, latest', files: [file] })
    // the same bytes again: nothing is sent
    await uploadFiles(page, { url: registry.url, path: 'admin/tools/copy', tags: '1.0', files: [file] })
    await page.getByText('nothing had to be sent').waitFor()

    await page.getByRole('navigation', { name: 'Registry' }).getByRole('link', { name: 'Browse' }).click()
    await page.getByRole('table', { name: 'Images' }).getByRole('link', { name: 'admin/tools/bwa' }).click()
    await page.getByRole('heading', { level: 1, name: 'bwa' }).waitFor()
    expect([errors, [...origins]]).toEqual([[], [registry.url]])

    // whoever is not signed in gets a line that names the registry
    const stranger = await visitor()
    await stranger.page.goto(`${registry.url}/ui/images/admin/tools/bwa`)
    const byTag = stranger.page.getByRole('group', { name: 'Pull line', exact: true })
    expect(await pullLine((await byTag.locator('span').textContent()) ?? '')).toBe(await digestOf(file))
    const byHash = stranger.page.getByRole('group', { name: 'Pull line by hash' })
    expect(await pullLine((await byHash.locator('span').textContent()) ?? '')).toBe(await digestOf(file))
    await stranger.page.getByRole('button', { name: 'Copy the pull line', exact: true }).click()
    await stranger.page.getByText('Copied', { exact: true }).waitFor({ state: 'attached' })
    expect(await stranger.page.evaluate('navigator.clipboard.readText()')).toBe(
      `apptainer pull --library ${registry.url} library://admin/tools/bwa:${await stranger.page.getByLabel('Tag', { exact: true }).inputValue()}`,
    )
    const [download] = await Promise.all([
      stranger.page.waitForEvent('download'),
      stranger.page.getByRole('link', { name: 'Download' }).click(),
    ])
    expect(await digestOf(await download.path())).toBe(await digestOf(file))
  })

  it('moves a tag, shows its history, and rolls it back', async () => {
    const { page, errors } = await visitor()
    await signIn(page, registry)
    const [first, second] = [await makeFile('one.sif'), await makeFile('two.sif')]
    for (const file of [first, second])
      await uploadFiles(page, { url: registry.url, path: 'admin/tools/moved', tags: 'latest', files: [file] })
    await page.goto(`${registry.url}/ui/images/admin/tools/moved`)
    await page.getByRole('button', { name: 'History of latest amd64' }).click()
    const hash = (await digestOf(first)).slice(0, 8)
    await page.getByRole('button', { name: `Roll back to ${hash}` }).click()
    const dialog = page.getByRole('alertdialog')
    await dialog.getByText(hash).waitFor()
    await dialog.getByRole('button', { name: 'Roll back' }).click()
    await dialog.waitFor({ state: 'detached' })
    const row = page.getByRole('table', { name: 'Tags' }).getByRole('row').filter({ hasText: 'latest' }).first()
    await row.getByRole('link', { name: hash }).waitFor()
    await page.getByText('admin rolled back').waitFor()

    await page.getByRole('button', { name: 'Add tag' }).click()
    const adding = page.getByRole('dialog')
    await adding.getByLabel('Tag name').fill('stable')
    await adding.getByRole('button', { name: 'Add tag' }).click()
    await page.getByRole('button', { name: 'More for stable amd64' }).click()
    await page.getByRole('menuitem', { name: 'Delete tag' }).click()
    await page.getByRole('alertdialog').getByRole('button', { name: 'Delete tag' }).click()
    await page.getByRole('button', { name: 'More for stable amd64' }).waitFor({ state: 'detached' })
    expect(errors).toEqual([])
  })

  it('shows what the file of the chosen image says of itself, as text alone', async () => {
    const { page, errors, origins, addresses } = await visitor()
    await signIn(page, registry)
    const hostile =
      'Bootstrap: docker\nFrom: alpine\n<img src=x onerror=alert(1)> https://evil.example/ \u202etxt.exe\n'
    const labels = { 'org.label-schema.version': '1.2', '<b>maintainer</b>': 'Ann <javascript:alert(1)>' }
    const pgp = '-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n{"version":1}\n'
    const full = [
      { type: TYPES.definition, bytes: Buffer.from(hostile) },
      { type: TYPES.labels, bytes: json(labels) },
      partition(),
      signature(Buffer.from(pgp), { fingerprint: 'AB'.repeat(20) }),
    ]
    const twice = [
      { type: TYPES.generic, bytes: randomBytes(8), id: 1 },
      { ...partition(), id: 1 },
    ]
    const image = { url: registry.url, path: 'admin/tools/told' }
    const upload = async (tag: string, bytes: Uint8Array): Promise<void> => {
      const file = join(folder, `${tag}.sif`)
      await writeFile(file, bytes)
      await uploadFiles(page, { ...image, tags: tag, files: [file] })
    }
    await upload('full', sifFile(full))
    await upload('bare', sifFile([{ ...partition(), bytes: randomBytes(64) }]))
    await upload('broken', sifFile(twice))

    // nothing is asked before a tab is opened; what fails is asked for again
    const asked = (): number => addresses.filter((address) => address.endsWith('/details')).length
    await page.goto(`${registry.url}/ui/images/admin/tools/told`)
    await page.getByLabel('Tag', { exact: true }).selectOption('full')
    await page.getByRole('heading', { level: 2, name: 'full amd64' }).waitFor()
    expect(asked()).toBe(0)
    let isBroken = true
    await page.route('**/details', (route) => (isBroken ? route.abort() : route.continue()))
    await page.getByRole('tab', { name: 'Tags' }).focus()
    await page.keyboard.press('ArrowRight')
    const panel = (name: string) => page.getByRole('tabpanel', { name, exact: true })
    await panel('Definition').getByRole('alert').filter({ hasText: 'does not answer' }).waitFor()
    isBroken = false
    await panel('Definition').getByRole('button', { name: 'Try again' }).click()

    const definition = panel('Definition').getByRole('group', { name: 'Definition file' })
    expect(await definition.textContent()).toBe(hostile.replace('\u202e', '<U+202E>'))
    await definition.focus()
    expect(await page.evaluate('document.activeElement.tagName')).toBe('PRE')
    await panel('Definition').getByRole('button', { name: 'Copy the definition file' }).click()
    await page.getByText('Copied', { exact: true }).waitFor({ state: 'attached' })
    expect(await page.evaluate('navigator.clipboard.readText()')).toBe(hostile)

    const rowsOf = async (tab: string, table: string): Promise<string[][]> => {
      await page.getByRole('tab', { name: tab, exact: true }).click()
      const rows = await panel(tab).getByRole('table', { name: table }).getByRole('row').all()
      return Promise.all(rows.map((row) => row.locator('th, td').allTextContents()))
    }
    expect(await rowsOf('Labels', 'Labels')).toEqual([['Label', 'Value'], ...Object.entries(labels).sort()])
    expect(await rowsOf('Contents', 'Objects')).toEqual([
      ['Id', 'Type', 'Bytes', 'Details'],
      ['1', 'definition', `${Buffer.byteLength(hostile)}`, ''],
      ['2', 'labels', `${json(labels).length}`, ''],
      ['3', 'partition', `${partition().bytes.length}`, 'squash, squashfs, primary-system, amd64'],
      ['4', 'signature', `${pgp.length}`, 'sha256'],
    ])
    expect(await rowsOf('Contents', 'Claimed signatures')).toEqual([
      ['Id', 'Format', 'Covers', 'Claimed key'],
      ['4', 'pgp', 'group 1', 'AB'.repeat(20)],
    ])
    await panel('Contents').getByText('Nothing here is verified').waitFor()
    // one failed, one answered for all three tabs; no text became a link, an element or a request
    expect(asked()).toBe(2)
    expect(await page.getByRole('tabpanel').locator('a, img, b').count()).toBe(0)
    expect([...origins]).toEqual([registry.url])
    expect(errors.filter((error) => !error.includes('net::ERR_FAILED'))).toEqual([])

    await page.getByLabel('Tag', { exact: true }).selectOption('bare')
    await panel('Contents').getByText('partition').waitFor()
    await page.getByRole('tab', { name: 'Labels', exact: true }).click()
    await panel('Labels').getByText('This image carries no labels').waitFor()
    await page.getByRole('tab', { name: 'Definition', exact: true }).click()
    await panel('Definition').getByText('This image carries no definition file').waitFor()
    await page.getByLabel('Tag', { exact: true }).selectOption('broken')
    await panel('Definition').getByText('breaks the SIF format').waitFor()
    await panel('Definition').getByText('two objects have the id 1').waitFor()

    for (const [scheme, width] of [
      ['light', 1280],
      ['dark', 320],
    ] as const) {
      const reader = await visitor({ scheme, width, bypassPolicy: true })
      await reader.page.goto(`${registry.url}/ui/images/admin/tools/told`)
      await reader.page.getByLabel('Tag', { exact: true }).selectOption('full')
      for (const name of ['Definition', 'Labels', 'Contents']) {
        await reader.page.getByRole('tab', { name, exact: true }).click()
        await reader.page.getByRole('tabpanel', { name, exact: true }).getByText('full amd64').waitFor()
        await checkAccessibility(reader.page, name)
        expect(await overflowOf(reader.page), name).toBe(0)
      }
    }
  })

  it('hides what is private from strangers, in the words of what is absent', async () => {
    const { page } = await visitor()
    await signIn(page, registry)
    await uploadFiles(page, {
      ...{ url: registry.url, path: 'admin/tools/hidden', tags: '1.0' },
      files: [await makeFile('hidden.sif')],
    })
    await page.goto(`${registry.url}/ui/images/admin/tools/hidden`)
    await page.getByRole('tab', { name: 'Settings' }).click()
    await page.getByRole('tabpanel', { name: 'Settings' }).getByRole('switch', { name: 'Private' }).click()
    await page.getByRole('switch', { name: 'Private', checked: true }).waitFor()

    const stranger = await visitor()
    const bodies: Promise<string>[] = []
    stranger.page.on('response', (response) => bodies.push(response.text().catch(() => '')))
    const wordsOf = async (name: string): Promise<string> => {
      await stranger.page.goto(`${registry.url}/ui/images/admin/tools/${name}`)
      await stranger.page.getByRole('heading', { name: 'Not found' }).waitFor()
      return (await stranger.page.getByRole('main').textContent()) ?? ''
    }
    expect(await wordsOf('hidden')).toBe(await wordsOf('absent'))
    bodies.length = 0
    await stranger.page.goto(`${registry.url}/ui/`)
    await stranger.page.getByRole('link', { name: 'admin/tools/bwa' }).waitFor()
    await stranger.page.goto(`${registry.url}/ui/search?q=hidden`)
    await stranger.page.getByText('Nothing matches hidden').waitFor()
    for (const body of await Promise.all(bodies)) expect(body).not.toContain('tools/hidden')
  })

  it('deletes a container once its name is typed', async () => {
    const { page } = await visitor()
    await signIn(page, registry)
    await uploadFiles(page, {
      ...{ url: registry.url, path: 'admin/tools/gone', tags: '1.0' },
      files: [await makeFile('gone.sif')],
    })
    await page.goto(`${registry.url}/ui/images/admin/tools/gone`)
    await page.getByRole('button', { name: 'More actions' }).click()
    await page.getByRole('menuitem', { name: 'Delete container' }).click()
    const dialog = page.getByRole('alertdialog')
    await dialog.getByText('1 image and 1 tag').waitFor()
    const button = dialog.getByRole('button', { name: 'Delete container' })
    expect(await button.isDisabled()).toBe(true)
    await dialog.getByLabel('Type admin/tools/gone to confirm').fill('admin/tools/gone')
    await button.click()
    await page.getByRole('heading', { level: 1, name: 'tools' }).waitFor()
    await page.goto(`${registry.url}/ui/images/admin/tools/gone`)
    await page.getByRole('heading', { name: 'Not found' }).waitFor()
  })

  it('makes a token that a client may use, and revokes it', async () => {
    const { page, errors } = await visitor()
    await signIn(page, registry)
    await page.getByRole('navigation', { name: 'Registry' }).getByRole('link', { name: 'Tokens' }).click()
    await page.getByRole('button', { name: 'New token' }).click()
    await page.getByRole('dialog').getByLabel('Label').fill('laptop')
    await page.getByRole('dialog').getByRole('button', { name: 'Create token' }).click()
    const token = await page.getByLabel('Your new token').inputValue()
    const status = async (): Promise<number> =>
      (await fetch(`${registry.url}/v1/token-status`, { headers: { authorization: `Bearer ${token}` } })).status
    expect(await status()).toBe(200)
    await page.getByRole('dialog').getByRole('button', { name: 'Close' }).click()
    await page.getByRole('table', { name: 'Access tokens' }).getByText('laptop').waitFor()
    expect(await page.content()).not.toContain(token)
    await page.getByRole('button', { name: 'Revoke laptop' }).click()
    await page.getByRole('alertdialog').getByRole('button', { name: 'Revoke' }).click()
    await page.getByRole('button', { name: 'Revoke laptop' }).waitFor({ state: 'detached' })
    expect(await status()).toBe(404)
    expect(errors).toEqual([])
  })

  it('goes on after a reload where the upload was, with the same file alone', async () => {
    const { page } = await visitor()
    await signIn(page, registry)
    const file = await makeFile('long.sif', { extra: 24_000_000 })
    let sent = 0
    let isHeld = true
    // the first part arrives, the others do not
    await page.route('**/transfers/**', async (route) => {
      if (route.request().method() !== 'PUT') return route.continue()
      sent += 1
      if (isHeld && sent > 1) return
      return route.continue()
    })
    await page.goto(`${registry.url}/ui/upload?path=admin/tools/long`)
    await page.getByLabel('Tags').fill('1.0')
    await page.getByLabel('Choose files').setInputFiles(file)
    await page.getByRole('button', { name: 'Start upload' }).click()
    await page.getByRole('progressbar', { name: 'Upload of long.sif' }).waitFor()
    await expect.poll(() => sent, { timeout: 30_000 }).toBeGreaterThanOrEqual(4)
    await expect.poll(async () => page.locator('.cells .done').count(), { timeout: 30_000 }).toBe(1)
    page.on('dialog', (dialog) => void dialog.accept())
    await page.reload()
    isHeld = false
    sent = 0
    const note = page.getByRole('status').filter({ hasText: 'long.sif' })
    await note.waitFor()
    await note.getByLabel('Choose the file').setInputFiles(await makeFile('short.sif'))
    await page.getByRole('alert').filter({ hasText: 'another file' }).waitFor()
    await note.getByLabel('Choose the file').setInputFiles(file)
    await page.getByText('Published', { exact: true }).waitFor({ timeout: 60_000 })
    // five parts, of which one was there
    expect(sent).toBe(4)
    const line = `apptainer pull --library ${registry.url} library://admin/tools/long:1.0`
    expect(await pullLine(line)).toBe(await digestOf(file))
  })

  it('shows a person who has nothing yet every view without an error, and the administration to admins alone', async () => {
    const { page, errors } = await visitor()
    await signIn(page, { url: registry.url, token: await registry.tokenOf('newcomer') })
    for (const view of ['', 'upload', 'usage', 'tokens', 'activity']) {
      await page.goto(`${registry.url}/ui/${view}`)
      await page.getByRole('heading', { level: 1 }).waitFor()
      await page.waitForLoadState('networkidle')
    }
    expect(errors).toEqual([])
    await page.goto(`${registry.url}/ui/admin`)
    await page.getByRole('heading', { name: 'You may not do this' }).waitFor()
  })

  it('refuses what is no SIF file before a byte is sent', async () => {
    const { page } = await visitor()
    await signIn(page, registry)
    await page.goto(`${registry.url}/ui/upload?path=admin/tools/notes`)
    const file = join(folder, 'notes.txt')
    await writeFile(file, 'not an image')
    await page.getByLabel('Choose files').setInputFiles(file)
    await page.getByText('Not a SIF file').waitFor()
    expect(await page.getByRole('button', { name: 'Start upload' }).isDisabled()).toBe(true)
  })

  it('is used with the keyboard alone', async () => {
    const { page } = await visitor()
    await page.goto(`${registry.url}/ui/`)
    await page.getByRole('link', { name: 'admin/tools/bwa' }).waitFor()
    await page.keyboard.press('Tab')
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Skip to content')
    await page.keyboard.press('/')
    await page.keyboard.type('bwa')
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'Results for bwa' }).waitFor()
    await page.getByRole('link', { name: 'admin/tools/bwa' }).waitFor()
    await page.keyboard.press('/')
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { level: 1, name: 'bwa' }).waitFor()
    expect(await page.evaluate('document.activeElement.tagName')).toBe('H1')
    expect(await page.evaluate('navigator.clipboard.readText()')).toContain('library://admin/tools/bwa:')
    await page.getByRole('button', { name: 'Appearance' }).focus()
    await page.keyboard.press('Enter')
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('Enter')
    expect(await page.evaluate('document.documentElement.dataset.theme')).toBe('dark')
    expect(await page.evaluate("document.activeElement.getAttribute('aria-label')")).toBe('Appearance')
    await page.keyboard.press('?')
    await page.getByRole('dialog', { name: 'Keyboard' }).waitFor()
    await page.keyboard.press('Escape')
    await page.getByRole('dialog', { name: 'Keyboard' }).waitFor({ state: 'detached' })
  })

  it.each([
    ['light', 1280],
    ['dark', 1280],
    ['light', 320],
    ['dark', 320],
  ] as const)('has no serious fault of accessibility and fits: %s, %i pixels', async (scheme, width) => {
    const { page } = await visitor({ scheme, width, bypassPolicy: true })
    await signIn(page, registry)
    const views = ['', 'images/admin', 'images/admin/tools', 'images/admin/tools/moved', 'upload', 'usage?under=admin']
    for (const view of [
      ...views,
      'tokens',
      'activity',
      'admin',
      'admin/quotas',
      'search?q=bwa',
      'sign-in',
      'nowhere',
    ]) {
      await page.goto(`${registry.url}/ui/${view}`)
      await page.getByRole('heading', { level: 1 }).waitFor()
      await page.waitForLoadState('networkidle')
      await checkAccessibility(page, view)
      expect(await overflowOf(page), view).toBe(0)
    }
    await page.goto(`${registry.url}/ui/images/admin/tools/moved`)
    await page.getByRole('button', { name: 'History of latest amd64' }).click()
    await page.getByRole('button', { name: 'Add tag' }).click()
    await page.getByRole('dialog').waitFor()
    await checkAccessibility(page, 'a dialog')
  })

  it('says what failed, and tries again', async () => {
    const { page } = await visitor()
    let isBroken = true
    await page.route('**/api/v1/containers?**', (route) => (isBroken ? route.abort() : route.continue()))
    await page.goto(`${registry.url}/ui/`)
    await page.getByRole('alert').filter({ hasText: 'does not answer' }).waitFor()
    isBroken = false
    await page.getByRole('button', { name: 'Try again' }).click()
    await page.getByRole('link', { name: 'admin/tools/bwa' }).waitFor()
  })

  it('speaks German to who asks for it', async () => {
    const { page } = await visitor({ locale: 'de-DE' })
    await page.goto(`${registry.url}/ui/`)
    await page.getByRole('heading', { name: 'Abbilder', exact: true }).waitFor()
    expect(await page.evaluate('document.documentElement.lang')).toBe('de')
  })
})

describePage('below a prefix', () => {
  it('has every link and file below it', async () => {
    const port = await freePort()
    const url = `http://127.0.0.1:${port}/library`
    const registry = await startServe({ port, args: ['--public-url', url] })
    try {
      const { page, errors, addresses } = await visitor()
      await page.goto(url)
      await page.getByRole('banner').getByRole('link', { name: 'Sign in' }).waitFor()
      expect(page.url()).toBe(`${url}/ui/`)
      await signIn(page, { url, token: registry.token })
      await uploadFiles(page, { url, path: 'admin/tools/bwa', tags: '1.0', files: [await makeFile('prefix.sif')] })
      await page.goto(`${url}/ui/images/admin/tools/bwa`)
      await page.getByRole('link', { name: 'tools' }).click()
      await page.getByRole('heading', { level: 1, name: 'tools' }).waitFor()
      expect(addresses.filter((address) => /^http/.test(address) && !address.startsWith(`${url}`))).toEqual([])
      expect(errors).toEqual([])
    } finally {
      await registry.stop()
    }
  })
})

const storeMissing = async (): Promise<string | undefined> =>
  missing ??
  installS3Server('minio').then(
    () => undefined,
    (error: Error) => error.message,
  )

describeWhen(await storeMissing(), 'the page over MinIO')('through an S3 store', () => {
  let store: RunningS3Server
  let registry: ServeRegistry
  beforeAll(async () => {
    store = await startMinio()
    registry = await startServeOn(store, { args: ['--part-size', '5MiB'] })
    await useRemote(registry)
  })
  afterAll(async () => {
    await registry?.stop()
    await store?.stop()
  })

  it('sends the parts to the store itself, and asks no other origin', async () => {
    const { page, errors, origins } = await visitor()
    const sent: string[] = []
    page.on('request', (request) => request.method() === 'PUT' && sent.push(new URL(request.url()).origin))
    await signIn(page, registry)
    const file = await makeFile('store.sif', { extra: 12_000_000 })
    await uploadFiles(page, { url: registry.url, path: 'admin/tools/store', tags: '1.0', files: [file] })
    expect(new Set(sent)).toEqual(new Set([new URL(store.endpoint).origin]))
    expect(sent).toHaveLength(3)
    expect(origins).toEqual(new Set([registry.url, new URL(store.endpoint).origin]))
    expect(errors).toEqual([])
    const line = `apptainer pull --library ${registry.url} library://admin/tools/store:1.0`
    expect(await pullLine(line)).toBe(await digestOf(file))
  })

  it('goes through the registry where the browser cannot reach the store', async () => {
    const { page } = await visitor()
    await page.route(`${store.endpoint}/**`, (route) => route.abort())
    const sent: string[] = []
    page.on('request', (request) => request.method() === 'PUT' && sent.push(new URL(request.url()).origin))
    await signIn(page, registry)
    const file = await makeFile('around.sif', { extra: 6_000_000 })
    await uploadFiles(page, { url: registry.url, path: 'admin/tools/around', tags: '1.0', files: [file] })
    expect(sent).toContain(registry.url)
    const line = `apptainer pull --library ${registry.url} library://admin/tools/around:1.0`
    expect(await pullLine(line)).toBe(await digestOf(file))
  })
})
