/** A person at the pages of an OpenID provider: the browser's half of the device flow, and what the command line sends. */

interface Device {
  readonly device_code: string
  readonly verification_uri_complete: string
}

export interface Client {
  readonly issuer: string
  /** The resource that the token is for; absent: none, and the provider gives an opaque token. */
  readonly audience?: string
}

const DEVICE_CODE = 'urn:ietf:params:oauth:grant-type:device_code'

async function post(url: string, form: Record<string, string>): Promise<Record<string, unknown>> {
  const response = await fetch(url, {
    method: 'POST',
    body: new URLSearchParams({ client_id: 'registry-cli', ...form }),
  })
  return (await response.json()) as Record<string, unknown>
}

const attributesOf = (tag: string): Record<string, string> =>
  Object.fromEntries(
    [...tag.matchAll(/([a-z-]+)="([^"]*)"/g)].map(([, name, value]) => [
      name ?? '',
      (value ?? '').replaceAll('&amp;', '&'),
    ]),
  )

/** Opens the address, and fills in and sends every form that it is shown, until there is none. */
export async function approve(address: string, person: string): Promise<string> {
  const cookies = new Map<string, string>()
  let url = new URL(address)
  let form: URLSearchParams | undefined
  for (let step = 0; step < 30; step += 1) {
    const headers = { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; ') }
    const response = await fetch(url, {
      method: form === undefined ? 'GET' : 'POST',
      headers,
      redirect: 'manual',
      ...(form && { body: form }),
    })
    for (const line of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      if (value === '') cookies.delete(name)
      else cookies.set(name, value)
    }
    form = undefined
    const location = response.headers.get('location')
    if (location !== null) {
      url = new URL(location, url)
      continue
    }
    const page = await response.text()
    const [, opening = '', inside = ''] = /<form([^>]*)>([\s\S]*?)<\/form>/.exec(page) ?? []
    if (opening === '' || response.status !== 200) return page
    url = new URL(attributesOf(opening).action ?? '', url)
    const inputs = [...inside.matchAll(/<(?:input|button)([^>]*)>/g)].map(([, tag]) => attributesOf(tag ?? ''))
    form = new URLSearchParams()
    for (const { name, value = '' } of inputs) if (name !== undefined && name !== 'abort') form.set(name, value)
    if (form.has('login')) for (const field of ['login', 'password']) form.set(field, person)
  }
  throw new Error(`the provider shows page after page, the last at ${url.href}`)
}

/** The answer of the token endpoint after the person has approved. */
export async function signIn(person: string, { issuer, audience }: Client): Promise<Record<string, unknown>> {
  const resource = audience === undefined ? undefined : { resource: audience }
  const device = (await post(`${issuer}/device/auth`, { scope: 'openid', ...resource })) as unknown as Device
  await approve(device.verification_uri_complete, person)
  return post(`${issuer}/token`, { grant_type: DEVICE_CODE, device_code: device.device_code, ...resource })
}
