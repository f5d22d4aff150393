/** From method and raw path to a row of the table. */
import { LibraryError } from './errors.js'

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

/** What the router knows of a row. */
export interface Routed {
  /** Named by the errors of an ambiguous table. */
  readonly name: string
  readonly method: Method
  /**
   * Segments are literal, `{name}` (one segment) or `{name...}` (one segment or more). One
   * `{name...}` per path, and behind it only literals and `{name}`, which are matched from the end:
   * `/v2/{name...}/manifests/{reference}`.
   */
  readonly path: string
  /** Takes some requests of its path alone, so that it says nothing of other methods. */
  readonly when?: ((request: never) => boolean) | undefined
}

export interface Match<Row extends Routed> {
  readonly row: Row
  readonly params: Readonly<Record<string, string>>
  /** Segments of a `{ref...}`. */
  readonly rest: readonly string[]
}

type Rows<Row> = Partial<Record<Method, Row>>

/** A literal segment, or the name of a parameter. */
type Segment = { readonly literal: string } | { readonly name: string }

/** A `{name...}` at a node, with the segments behind it. */
interface Rest<Row> {
  readonly tail: readonly Segment[]
  rows: Rows<Row>
}

interface Node<Row> {
  readonly literals: Map<string, Node<Row>>
  parameter?: { readonly name: string; readonly row: Row; readonly node: Node<Row> }
  /** The longest tail first. */
  rests: Rest<Row>[]
  rows?: Rows<Row>
}

const newNode = <Row>(): Node<Row> => ({ literals: new Map(), rests: [] })
const noParams: Readonly<Record<string, string>> = Object.freeze({})
const noRest: readonly string[] = Object.freeze([])
const parameterName = (segment: string): string | undefined => /^\{([^}.]+)\}$/.exec(segment)?.[1]

function addRow<Row extends Routed>(rows: Rows<Row> | undefined, row: Row): Rows<Row> {
  const other = rows?.[row.method]
  if (other !== undefined)
    throw new TypeError(`the routes ${other.name} and ${row.name} are both ${row.method} ${row.path}`)
  return { ...rows, [row.method]: row }
}

const shapeOf = (tail: readonly Segment[]): string =>
  tail.map((segment) => ('literal' in segment ? segment.literal : '{}')).join('/')

function insertRest<Row extends Routed>(node: Node<Row>, row: Row, tail: readonly string[]): void {
  const segments = tail.map((segment): Segment => {
    if (segment.endsWith('...}')) throw new TypeError(`the route ${row.name} has two {name...} in ${row.path}`)
    const name = parameterName(segment)
    return name === undefined ? { literal: segment } : { name }
  })
  const shape = shapeOf(segments)
  const same = node.rests.find((rest) => shapeOf(rest.tail) === shape)
  if (same === undefined) {
    node.rests.push({ tail: segments, rows: addRow(undefined, row) })
    node.rests.sort((a, b) => b.tail.length - a.tail.length)
    return
  }
  const names = same.tail.map((segment) => ('name' in segment ? segment.name : ''))
  segments.forEach((segment, index) => {
    const other = Object.values(same.rows)[0]
    if ('name' in segment && segment.name !== names[index] && other !== undefined)
      throw ambiguous(other, row, names[index] ?? '', segment.name)
  })
  same.rows = addRow(same.rows, row)
}

function ambiguous(one: Routed, other: Routed, name: string, otherName: string): TypeError {
  return new TypeError(
    `the routes ${one.name} (${one.path}) and ${other.name} (${other.path}) call one segment {${name}} and {${otherName}}`,
  )
}

function insert<Row extends Routed>(root: Node<Row>, row: Row): void {
  let node = root
  const segments = row.path.split('/').filter((segment) => segment !== '')
  for (const [index, segment] of segments.entries()) {
    if (segment.endsWith('...}')) {
      insertRest(node, row, segments.slice(index + 1))
      return
    }
    const name = parameterName(segment)
    if (name === undefined) {
      const next = node.literals.get(segment) ?? newNode<Row>()
      node.literals.set(segment, next)
      node = next
      continue
    }
    node.parameter ??= { name, row, node: newNode() }
    if (node.parameter.name !== name) throw ambiguous(node.parameter.row, row, node.parameter.name, name)
    node = node.parameter.node
  }
  node.rows = addRow(node.rows, row)
}

function decodeSegment(segment: string): string {
  if (!segment.includes('%')) return segment
  try {
    return decodeURIComponent(segment)
  } catch {
    throw new LibraryError('invalid-request', 'the path has a broken percent escape')
  }
}

/** One search: the segments of a path that are not empty, and what other methods its path has. */
interface Search {
  readonly segments: readonly string[]
  readonly method: string
  readonly allowed: string[]
}

interface Found<Row> {
  readonly row: Row
  params: Record<string, string> | undefined
  readonly rest: readonly string[]
}

function rowOf<Row extends Routed>({ method, allowed }: Search, rows: Rows<Row>): Row | undefined {
  if (Object.hasOwn(rows, method)) return rows[method as Method]
  for (const row of Object.values(rows)) if (row.when === undefined) allowed.push(row.method)
  return undefined
}

function matchTail(
  { segments }: Search,
  tail: readonly Segment[],
): { readonly params: Record<string, string> | undefined } | undefined {
  let params: Record<string, string> | undefined
  for (let index = 0; index < tail.length; index += 1) {
    const raw = segments[segments.length - tail.length + index] as string
    const segment = tail[index] as Segment
    if ('literal' in segment) {
      if (segment.literal !== raw) return undefined
    } else {
      params ??= {}
      params[segment.name] = decodeSegment(raw)
    }
  }
  return { params }
}

function findByRest<Row extends Routed>(node: Node<Row>, search: Search, at: number): Found<Row> | undefined {
  const { segments } = search
  for (const { tail, rows } of node.rests) {
    if (segments.length - at <= tail.length) continue
    const matched = matchTail(search, tail)
    const row = matched && rowOf(search, rows)
    if (row === undefined) continue
    return { row, params: matched?.params, rest: segments.slice(at, segments.length - tail.length).map(decodeSegment) }
  }
  return undefined
}

/**
 * Literals before `{name}` before `{name...}`; a row that lacks the method gives way to the next.
 */
function find<Row extends Routed>(node: Node<Row>, search: Search, at: number): Found<Row> | undefined {
  if (at === search.segments.length) {
    const row = node.rows && rowOf(search, node.rows)
    return row && { row, params: undefined, rest: noRest }
  }
  const raw = search.segments[at] as string
  const literal = node.literals.get(raw)
  const byLiteral = literal && find(literal, search, at + 1)
  if (byLiteral !== undefined) return byLiteral
  const { parameter } = node
  const byParameter = parameter && find(parameter.node, search, at + 1)
  if (byParameter === undefined) return findByRest(node, search, at)
  byParameter.params ??= {}
  byParameter.params[parameter?.name ?? ''] = decodeSegment(raw)
  return byParameter
}

export type Router<Row extends Routed> = (method: string, path: string) => Match<Row> | undefined

/**
 * Makes the matcher. Empty segments are dropped before matching, without a redirect: old clients
 * send `//` (protocol 2.3, Q35), and a redirect would turn their POST into a GET (protocol 3.7).
 * undefined = the path is not ours. Throws `method-not-allowed`. Making it throws TypeError for two
 * rows of one method and path, or for one segment with two names.
 */
export function createRouter<Row extends Routed>(table: readonly Row[]): Router<Row> {
  const root = newNode<Row>()
  for (const row of table) insert(root, row)

  return (method, path) => {
    const search: Search = {
      segments: path.split('/').filter((segment) => segment !== ''),
      // HEAD is GET without the body (RFC 9110 9.3.2)
      method: method === 'HEAD' ? 'GET' : method,
      allowed: [],
    }
    const found = find(root, search, 0)
    if (found !== undefined) return { row: found.row, params: found.params ?? noParams, rest: found.rest }
    if (search.allowed.length === 0) return undefined
    const allowed = new Set(search.allowed)
    if (allowed.has('GET')) allowed.add('HEAD')
    throw new LibraryError('method-not-allowed', `${method} is not offered here`, {
      headers: { allow: [...allowed].join(', ') },
    })
  }
}
