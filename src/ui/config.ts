/** What the host says about the page: it lies in the document. */
export interface PageConfig {
  readonly title?: string
  readonly logo?: string
  readonly links?: readonly { readonly label: string; readonly href: string }[]
  readonly signIn?: { readonly href: string }
  readonly signOut?: { readonly href: string }
  readonly anonymous?: 'browse' | 'none'
  readonly theme?: 'system' | 'light' | 'dark'
  readonly language?: 'en' | 'de'
}

const meta = document.querySelector<HTMLMetaElement>('meta[name="sif-library"]')

export const config: PageConfig = JSON.parse(meta?.content ?? '{}') as PageConfig

/** Path of the page on its host, without the slash at its end: what the router is told. */
export const base: string = new URL(document.baseURI).pathname.replace(/\/$/, '')

/** Name of the registry. */
export const title: string = config.title ?? 'Image library'
