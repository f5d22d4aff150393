/** The OpenAPI 3.1 document, generated from the route table. */
import { z } from 'zod'
import type { RouteRow } from './route.js'
import { packageVersion } from './version.js'

const errorReference = { $ref: '#/components/responses/Error' }

function jsonSchema(schema: z.ZodType, components: Record<string, unknown>): unknown {
  const {
    $schema: _,
    $defs,
    ...rest
  } = z.toJSONSchema(schema, { io: 'input', target: 'draft-2020-12', unrepresentable: 'any' }) as Record<
    string,
    unknown
  >
  // objects that carry an id become components
  for (const [name, definition] of Object.entries(($defs ?? {}) as Record<string, Record<string, unknown>>)) {
    const { id: __, ...body } = definition
    components[name] = rewrite(body)
  }
  return rewrite(rest)
}

/** `#/$defs/X` → `#/components/schemas/X`. */
function rewrite(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value).replaceAll('#/$defs/', '#/components/schemas/'))
}

const parameterPattern = /\{(\w+)(\.\.\.)?\}/g

/**
 * `names` are those of the path in the document; where the row has another one, it becomes the
 * description.
 */
function parametersOf(
  row: RouteRow,
  { names, components }: { readonly names: readonly string[]; readonly components: Record<string, unknown> },
): object[] {
  const path = [...row.path.matchAll(parameterPattern)].map(([, own, rest], index) => ({
    name: names[index],
    in: 'path',
    required: true,
    schema: { type: 'string' },
    ...(own === names[index] ? {} : { description: own }),
    ...(rest === undefined
      ? {}
      : {
          description: 'entity/collection/container:selector, or a shorter form; slashes stand for themselves',
          'x-multi-segment': true,
        }),
  }))
  return [
    ...path,
    ...(row.query ?? []).map((name) => {
      const schema = row.querySchemas?.[name]
      return {
        name,
        in: 'query',
        required: name === 'value',
        schema: schema === undefined ? { type: 'string' } : jsonSchema(schema, components),
      }
    }),
  ]
}

/** Answers of these never have a body (RFC 9110 15.3.5, 15.4.4, 15.4.5). */
const bodiless = [204, 303, 304]

function contentOf(row: RouteRow, status: number, components: Record<string, unknown>): object {
  if (bodiless.includes(status)) return {}
  const { schema } = row.success
  if (schema === 'empty') return {}
  if (schema === 'bytes') return { content: { 'application/octet-stream': {} } }
  if (schema === 'text') return { content: { 'text/plain': {} } }
  const { example } = row.success
  return {
    content: {
      'application/json': { schema: jsonSchema(schema, components), ...(example !== undefined && { example }) },
    },
  }
}

function operationOf(
  row: RouteRow,
  { names, components }: { readonly names: readonly string[]; readonly components: Record<string, unknown> },
): object {
  const responses: Record<string, unknown> = {}
  for (const status of [row.success.status, ...(row.success.also ?? [])])
    responses[status] =
      status >= 400 ? errorReference : { description: 'Success', ...contentOf(row, status, components) }
  for (const status of ['4XX', '5XX']) responses[status] ??= errorReference
  const body =
    row.body === 'none'
      ? {}
      : row.body === 'bytes'
        ? { requestBody: { required: true, content: { 'application/octet-stream': {} } } }
        : {
            requestBody: {
              required: true,
              content: { 'application/json': { schema: jsonSchema(row.body.schema, components) } },
            },
          }
  return {
    operationId: row.name,
    summary: row.summary,
    parameters: parametersOf(row, { names, components }),
    ...body,
    responses,
    security: row.access === 'public' ? [] : [{}, { bearer: [] }],
    ...(typeof row.access === 'object' && {
      'x-action': 'asks' in row.access ? row.access.asks : row.access.action,
    }),
  }
}

/** Makes the document. */
export function makeOpenApi(table: readonly RouteRow[]): object {
  const schemas: Record<string, unknown> = {
    Error: {
      type: 'object',
      required: ['error'],
      properties: {
        error: {
          type: 'object',
          required: ['code', 'message'],
          properties: {
            code: { type: 'integer', description: 'the status' },
            message: { type: 'string', description: 'for people' },
            reason: { type: 'string', description: 'below api/v1: the code of the error, for programs' },
            requestId: { type: 'string' },
            field: { type: 'string', description: 'the member or parameter that is wrong' },
            current: { description: 'of a 412: what is there now' },
          },
        },
      },
    },
  }
  const paths: Record<string, Record<string, unknown>> = {}
  // templates that differ in the names of their parameters only are one path (OpenAPI 3.1, 4.8.8):
  // the first row names them
  const templates = new Map<string, string>()
  for (const row of table) {
    const shape = row.path.replace(parameterPattern, '{}')
    const path = templates.get(shape) ?? row.path.replace('...}', '}')
    templates.set(shape, path)
    const names = [...path.matchAll(parameterPattern)].map(([, name]) => name as string)
    paths[path] = { ...paths[path], [row.method.toLowerCase()]: operationOf(row, { names, components: schemas }) }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'library:// registry',
      version: packageVersion,
      description: 'The Singularity and Apptainer library protocol, as this server speaks it.',
    },
    paths,
    components: {
      schemas,
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } },
      responses: {
        Error: {
          description: 'The reason, for people',
          content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
        },
      },
    },
  }
}
