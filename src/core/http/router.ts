/** From method and raw path to a row of the table. */

import { LibraryError } from './errors.js'

export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE'

/** What the router knows of a row. */
export interface Routed {
  readonly method: Method
  /** Segments are literal, `{name}` (one segment) or, last, `{name...}` (one segment or more). */
  readonly path: string
}

export interface Match<Row extends Routed> {
  readonly row: Row
  readonly params: Readonly<Record<string, string>>
  /** Segments of a `{ref...}`. */
  readonly rest: readonly string[]
}

type Rows<Row> = Partial<Record<Method, Row>>

interface Node<Row> {
  readonly literals: Map<string, Node<Row>>
  parameter?: { readonly name: string; readonly node: Node<Row> }
  rest?: Rows<Row>
  rows?: Rows<Row>
}

const newNode = <Row>(): Node<Row> => ({ literals: new Map() })
const noParams: Readonly<Record<string, string>> = Object.freeze({})
const noRest: readonly string[] = Object.freeze([])

function insert<Row extends Routed>(root: Node<Row>, row: Row): void {
  let node = root
  for (const segment of row.path.split('/').slice(1)) {
    if (segment.endsWith('...}')) {
      node.rest = { ...node.rest, [row.method]: row }
      return
    }
    if (segment.startsWith('{')) {
      node.parameter ??= { name: segment.slice(1, -1), node: newNode() }
      node = node.parameter.node
    } else {
      const next = node.literals.get(segment) ?? newNode()
      node.literals.set(segment, next)
      node = next
    }
  }
  node.rows = { ...node.rows, [row.method]: row }
}

function decodeSegment(segment: string): string {
  if (!segment.includes('%')) return segment
  try {
    return decodeURIComponent(segment)
  } catch {
    throw new LibraryError('invalid-request', 'the path has a broken percent escape')
  }
}

function pick<Row>(rows: Rows<Row>, method: string): Row {
  // HEAD is GET without the body (RFC 9110 9.3.2)
  const wanted = method === 'HEAD' ? 'GET' : method
  const row = Object.hasOwn(rows, wanted) ? rows[wanted as Method] : undefined
  if (row !== undefined) return row
  const allowed = Object.keys(rows)
  throw new LibraryError('method-not-allowed', `${method} is not offered here`, {
    headers: { allow: (rows.GET === undefined ? allowed : [...allowed, 'HEAD']).join(', ') },
  })
}

export type Router<Row extends Routed> = (method: string, path: string) => Match<Row> | undefined

/**
 * Makes the matcher. Empty segments are dropped before matching, without a redirect: old clients send `//` (protocol 2.3, Q35), and a redirect would turn their POST into a
 * GET (protocol 3.7). undefined = the path is not ours. Throws `method-not-allowed`.
 */
export function createRouter<Row extends Routed>(table: readonly Row[]): Router<Row> {
  const root = newNode<Row>()
  for (const row of table) insert(root, row)

  return (method, path) => {
    const segments = path.split('/')
    let node = root
    let params: Record<string, string> | undefined
    for (let index = 0; index < segments.length; index += 1) {
      const raw = segments[index] as string
      if (raw === '') continue
      const literal = node.literals.get(raw)
      if (literal !== undefined) {
        node = literal
        continue
      }
      if (node.rest !== undefined) {
        const rest = segments
          .slice(index)
          .filter((segment) => segment !== '')
          .map(decodeSegment)
        // `POST v1/imagefile/{imageId}` stands beside `GET v1/imagefile/{ref...}`: of one segment the method says what it is
        const single = rest.length === 1 ? node.parameter : undefined
        if (single === undefined) return { row: pick(node.rest, method), params: params ?? noParams, rest }
        return {
          row: pick({ ...single.node.rows, ...node.rest }, method),
          params: { ...params, [single.name]: rest[0] as string },
          rest,
        }
      }
      if (node.parameter === undefined) return undefined
      params ??= {}
      params[node.parameter.name] = decodeSegment(raw)
      node = node.parameter.node
    }
    return node.rows === undefined
      ? undefined
      : { row: pick(node.rows, method), params: params ?? noParams, rest: noRest }
  }
}
