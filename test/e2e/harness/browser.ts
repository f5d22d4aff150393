/** A real browser, without a window, that looks at the page as people do. */
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { type Browser, chromium, type Page } from 'playwright-core'
import { expect } from 'vitest'
import { PACKAGE } from './paths.js'
import { runOk } from './run.js'

const programs = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']
const program = programs.find((path) => existsSync(path))

/** Why no browser can be started here; undefined when one can. */
export const browserMissing = (): string | undefined =>
  program === undefined ? 'Chromium is not installed (scripts/install-tools.sh)' : undefined

/** Starts the browser, and builds the page where that was not done. */
export async function openBrowser(): Promise<Browser> {
  if (!existsSync(join(PACKAGE, 'dist/ui/manifest.json')))
    await runOk('npx', { args: ['vite', 'build', '--config', 'src/ui/vite.config.ts'], cwd: PACKAGE, timeout: 120_000 })
  return chromium.launch({
    executablePath: program ?? '',
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking'],
  })
}

export interface VisitOptions {
  readonly scheme?: 'light' | 'dark'
  readonly width?: number
  readonly locale?: string
  /** Lets `checkAccessibility` put its script into the page. Default: the page's own policy holds. */
  readonly bypassPolicy?: boolean
}

/** A page in a profile of its own. */
export interface Visit {
  readonly page: Page
  /** What the console called an error, and scripts that threw. */
  readonly errors: readonly string[]
  /** Origins that were asked. */
  readonly origins: ReadonlySet<string>
  /** Every address that was asked, with its query. */
  readonly addresses: readonly string[]
  readonly close: () => Promise<void>
}

export async function visit(browser: Browser, options: VisitOptions = {}): Promise<Visit> {
  const { scheme = 'light', width = 1280, locale = 'en-GB', bypassPolicy = false } = options
  const context = await browser.newContext({
    ...{ colorScheme: scheme, locale, bypassCSP: bypassPolicy, viewport: { width, height: 900 } },
    permissions: ['clipboard-read', 'clipboard-write'],
    acceptDownloads: true,
  })
  const page = await context.newPage()
  page.setDefaultTimeout(30_000)
  const errors: string[] = []
  const origins = new Set<string>()
  const addresses: string[] = []
  page.on('console', (message) => message.type() === 'error' && errors.push(message.text()))
  page.on('pageerror', (error) => errors.push(error.message))
  page.on('request', (request) => {
    addresses.push(request.url())
    if (/^https?:/.test(request.url())) origins.add(new URL(request.url()).origin)
  })
  return { page, errors, origins, addresses, close: () => context.close() }
}

/** What axe finds serious, and worse. */
export async function checkAccessibility(page: Page, where: string): Promise<void> {
  const script = createRequire(import.meta.url).resolve('axe-core/axe.min.js')
  await page.evaluate(await readFile(script, 'utf8'))
  const found = await page.evaluate(async () => {
    const { axe } = globalThis as unknown as {
      readonly axe: {
        run(): Promise<{
          readonly violations: readonly {
            readonly id: string
            readonly impact: string
            readonly nodes: readonly { readonly html: string }[]
          }[]
        }>
      }
    }
    const { violations } = await axe.run()
    return violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`)
  })
  expect(found, where).toEqual([])
}

/** Bytes by which the page is wider than the window. */
export const overflowOf = (page: Page): Promise<number> =>
  page.evaluate(() => {
    const { document, innerWidth } = globalThis as unknown as {
      readonly document: { readonly documentElement: { readonly scrollWidth: number } }
      readonly innerWidth: number
    }
    return Math.max(0, document.documentElement.scrollWidth - innerWidth)
  })

/** Signs in as a person does, by typing a token. */
export async function signIn(
  page: Page,
  { url, token }: { readonly url: string; readonly token: string },
): Promise<void> {
  await page.goto(`${url}/ui/sign-in`)
  await page.getByLabel('Access token').fill(token)
  await page.getByRole('main').getByRole('button', { name: 'Sign in' }).click()
  await page.getByRole('heading', { name: 'Images' }).waitFor()
}

/** Uploads files to `E/C/N` with these tags, and waits until all are published. */
export async function uploadFiles(
  page: Page,
  {
    url,
    path,
    tags,
    files,
  }: { readonly url: string; readonly path: string; readonly tags: string; readonly files: readonly string[] },
): Promise<void> {
  await page.goto(`${url}/ui/upload?path=${path}`)
  await page.getByLabel('Tags').fill(tags)
  await page.getByLabel('Choose files').setInputFiles([...files])
  await page.getByRole('button', { name: 'Start upload' }).click()
  for (const file of files)
    await page
      .getByRole('listitem')
      .filter({ hasText: file.split('/').at(-1) ?? '' })
      .getByText('Published', { exact: true })
      .waitFor({ timeout: 120_000 })
}
