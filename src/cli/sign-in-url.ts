/** The code is the fragment, which no server and no log sees. */
export function signInUrl(publicUrl: string, code: string): string {
  return `${publicUrl.replace(/\/+$/, '')}/ui/sign-in#${code}`
}
