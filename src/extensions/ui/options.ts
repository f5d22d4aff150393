/** What a host says about the page, and the defaults. */

/** A link of the host in the banner of the page. */
export interface UiLink {
  readonly label: string
  /** Absolute, or relative to the page (`ui/`). */
  readonly href: string
}

export interface UiOptions {
  /**
   * Name of the registry, in the banner and in the title of the window. Default: `Image library`.
   */
  readonly title?: string
  /**
   * Image beside the title, from the origin of the page or a `data:` URL. Default: a drawing of
   * ours.
   */
  readonly logo?: string
  /** Further links in the banner, such as the way back to the portal. */
  readonly links?: readonly UiLink[]
  /**
   * Where the host signs people in. Default: the page asks for an access token where the registry
   * takes sessions.
   */
  readonly signIn?: { readonly href: string }
  /** Where the host signs people out. Default: the page ends its own session. */
  readonly signOut?: { readonly href: string }
  /**
   * `none`: who is not signed in is led to the sign-in page; the API is unchanged. Default:
   * `browse`.
   */
  readonly anonymous?: 'browse' | 'none'
  /**
   * `light` or `dark` fixes the appearance; `system` follows the reader, who may choose. Default:
   * `system`.
   */
  readonly theme?: 'system' | 'light' | 'dark'
  /**
   * Language of the page. Default: that of the reader where there is a catalogue, otherwise
   * English.
   */
  readonly language?: 'en' | 'de'
  /** Origins that may show the page in a frame. Default: the own origin. */
  readonly frameAncestors?: readonly string[]
  /** false: a browser that asks for the mount itself is not led to the page. Default: true. */
  readonly home?: boolean
  /** Folder of the built page. Default: that of the package. */
  readonly folder?: string
}

/** What the page reads of the options: part of the document, so nothing secret. */
export type PageConfig = Pick<
  UiOptions,
  'title' | 'logo' | 'links' | 'signIn' | 'signOut' | 'anonymous' | 'theme' | 'language'
>

/** Default of `title`. */
export const defaultTitle = 'Image library'

const known: readonly string[] = [
  ...['title', 'logo', 'links', 'signIn', 'signOut', 'anonymous', 'theme', 'language'],
  ...['frameAncestors', 'home', 'folder'],
]

const isLink = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && 'href' in value && typeof value.href === 'string'

/** A link that runs as a script would undo the strict policy of the page. */
const isScript = (href: string): boolean => /^\s*(?:javascript|data|vbscript):/i.test(href)

/** Throws TypeError, whose message begins with the name of the option, for what cannot work. */
export function checkUiOptions(options: UiOptions): void {
  for (const name of Object.keys(options))
    if (!known.includes(name)) throw new TypeError(`${name}: no option of libraryUi; there are ${known.join(', ')}`)
  const choices = { anonymous: ['browse', 'none'], theme: ['system', 'light', 'dark'], language: ['en', 'de'] } as const
  for (const [name, values] of Object.entries(choices)) {
    const value = options[name as keyof typeof choices]
    if (value !== undefined && !(values as readonly string[]).includes(value))
      throw new TypeError(`${name}: must be one of ${values.join(', ')}`)
  }
  for (const name of ['title', 'logo', 'folder'] as const)
    if (options[name] !== undefined && (typeof options[name] !== 'string' || options[name] === ''))
      throw new TypeError(`${name}: must be a text`)
  for (const [name, link] of [
    ['signIn', options.signIn],
    ['signOut', options.signOut],
    ...(options.links ?? []).map((entry) => ['links', entry] as const),
  ] as const) {
    if (link === undefined) continue
    if (!isLink(link)) throw new TypeError(`${name}: must have an href`)
    if (isScript(link.href)) throw new TypeError(`${name}: ${JSON.stringify(link.href)} is no link to a page`)
  }
  for (const origin of options.frameAncestors ?? [])
    if (!/^(?:'self'|'none'|https?:\/\/[^\s;,/]+)$/.test(origin))
      throw new TypeError(`frameAncestors: ${JSON.stringify(origin)} is no origin such as https://portal.example`)
  if (options.home !== undefined && typeof options.home !== 'boolean')
    throw new TypeError('home: must be true or false')
}
