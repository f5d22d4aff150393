/**
 * Building responses: the JSON envelope of protocol 3.5, and nothing a route would have to repeat.
 */
import type { LibraryResponse } from './messages.js'

const noHeaders: Readonly<Record<string, string>> = Object.freeze({ 'content-length': '0' })

/** Any JSON value as the whole body: for the un-enveloped replies (protocol 3.5). */
export function jsonResponse(
  value: unknown,
  status = 200,
  headers?: Readonly<Record<string, string>>,
): LibraryResponse {
  return jsonTextResponse(JSON.stringify(value), status, headers)
}

/** JSON that is written already. */
export function jsonTextResponse(
  body: string,
  status = 200,
  headers?: Readonly<Record<string, string>>,
): LibraryResponse {
  return {
    status,
    headers: { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)), ...headers },
    body,
  }
}

/** `{"data": …}`. */
export function dataResponse(data: unknown, status = 200): LibraryResponse {
  return jsonResponse({ data }, status)
}

/** `{"error": {"code": 404, "message": "…"}}`; `code` is the status, as an integer. */
export function errorResponse(
  status: number,
  message: string,
  headers?: Readonly<Record<string, string>>,
): LibraryResponse {
  return jsonResponse({ error: { code: status, message } }, status, headers)
}

/** No body. */
export function emptyResponse(status = 200, headers: Readonly<Record<string, string>> = {}): LibraryResponse {
  return { status, headers: { ...noHeaders, ...headers }, body: null }
}

/** Plain text or HTML. */
export function textResponse(text: string, contentType: string, status = 200): LibraryResponse {
  return {
    status,
    headers: { 'content-type': contentType, 'content-length': String(Buffer.byteLength(text)) },
    body: text,
  }
}
