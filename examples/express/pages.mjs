// Pages of the portal, as text. Whatever comes from people goes through `html`, which escapes it.
const escapes = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

class Markup {
  constructor(text) {
    this.text = text
  }
}

const render = (value) =>
  value instanceof Markup
    ? value.text
    : Array.isArray(value)
      ? value.map(render).join('')
      : String(value ?? '').replace(/[&<>"']/g, (each) => escapes[each])

export const html = (parts, ...values) =>
  new Markup(parts.map((part, index) => part + (index < values.length ? render(values[index]) : '')).join(''))

export const page = (title, body) =>
  html`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${title}</title>
<style>body { font: 1rem/1.5 system-ui, sans-serif; max-width: 48rem; margin: 2rem auto; padding: 0 1rem } table { border-collapse: collapse; width: 100% } td, th { text-align: left; padding: .3rem .5rem; border-bottom: 1px solid #ccc } code { overflow-wrap: anywhere } .new { background: #eef6ee; padding: 1rem }</style>
<h1>${title}</h1>
${body}
</html>
`.text

export const loginPage = (message = '') =>
  page(
    'Portal',
    html`<p>${message}</p>
<form method="post" action="/login">
<p><label>Name <input name="name" autocomplete="username" required></label></p>
<p><label>Password <input name="password" type="password" autocomplete="current-password" required></label></p>
<p><button>Sign in</button></p>
</form>`,
  )

const day = (time) => (time === null ? 'never' : new Date(time).toISOString().slice(0, 10))

export const registryPage = ({ name, csrf, tokens, containers, created, url }) =>
  page(
    'Container images',
    html`<p>Signed in as ${name}. <a href="/">Portal</a></p>
${created === undefined ? '' : html`<div class="new"><p>Your new token. It is shown only now:</p><p><code id="token">${created}</code></p></div>`}
<h2>Tokens</h2>
<p>For <code>singularity remote login</code>. This registry: <code>${url}</code></p>
<table>
<tr><th>For<th>Made<th>Last used<th>Expires<th>
${tokens.map((token) => html`<tr><td>${token.label}<td>${day(token.createdAt)}<td>${day(token.lastUsedAt)}<td>${day(token.expiresAt)}<td><form method="post" action="/registry/tokens/${token.id}/revoke"><input type="hidden" name="csrf" value="${csrf}"><button>Revoke</button></form>`)}
</table>
<form method="post" action="/registry/tokens"><input type="hidden" name="csrf" value="${csrf}">
<p><label>For <input name="label" maxlength="60" required></label> <label><input type="checkbox" name="readonly"> may only pull</label> <button>Make a token for 90 days</button></p>
</form>
<h2>Containers</h2>
<table>
<tr><th>Container<th>Who may pull<th>Downloads
${containers.map((each) => html`<tr><td><code>library://${each.path}</code><td>${each.private ? 'its group' : 'everybody'}<td>${each.downloads}`)}
</table>`,
  )
