/** What a client does, as plain requests. */
import { createHash } from 'node:crypto'
import { request } from 'node:http'

export async function call(base, { method = 'GET', path, token, body }) {
  const response = await fetch(base + path, {
    method,
    redirect: 'manual',
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    body: body === undefined ? undefined : JSON.stringify(body),
  })
  const text = await response.text()
  if (response.status >= 400) throw new Error(`${method} ${path}: ${response.status} ${text}`)
  return { status: response.status, headers: response.headers, data: text === '' ? undefined : JSON.parse(text).data }
}

/** Sends `size` bytes of a repeated block by PUT; resolves to the response headers. */
export function putBytes(url, { size, block, method = 'PUT', headers = {} }) {
  return new Promise((resolve, reject) => {
    const req = request(url, { method, headers: { 'content-length': size, ...headers } }, (res) => {
      res.resume()
      res.on('end', () => (res.statusCode < 300 ? resolve(res.headers) : reject(new Error(`PUT: ${res.statusCode}`))))
    })
    req.on('error', reject)
    let sent = 0
    const write = () => {
      while (sent < size) {
        const chunk = size - sent < block.length ? block.subarray(0, size - sent) : block
        sent += chunk.length
        if (!req.write(chunk)) return req.once('drain', write)
      }
      req.end()
    }
    write()
  })
}

/** GETs and drops the bytes; resolves to their number. */
export function getBytes(url, headers = {}) {
  return new Promise((resolve, reject) => {
    request(url, { headers }, (res) => {
      if (res.statusCode >= 300 && res.statusCode < 400) {
        res.resume()
        return resolve(getBytes(res.headers.location, headers))
      }
      let bytes = 0
      res.on('data', (chunk) => {
        bytes += chunk.length
      })
      res.on('end', () => resolve(bytes))
      res.on('error', reject)
    })
      .on('error', reject)
      .end()
  })
}

const digests = new WeakMap()

/** Remembered per block and size: the parts of one upload are alike, and hashing on the side of the client is not what is measured. */
export function digestOf({ size, block }) {
  const known = digests.get(block) ?? new Map()
  digests.set(block, known)
  if (!known.has(size)) {
    const hash = createHash('sha256')
    for (let done = 0; done < size; done += block.length)
      hash.update(size - done < block.length ? block.subarray(0, size - done) : block)
    known.set(size, hash.digest('hex'))
  }
  return known.get(size)
}

/** Makes entity, collection, container and a pending image; returns the ids. */
export async function createImage(base, { token, entity, container, digest }) {
  const post = async (path, body) => (await call(base, { method: 'POST', path, token, body })).data
  const entityId = (await post('/v1/entities', { name: entity })).id
  const collectionId = (await post('/v1/collections', { name: 'tools', entity: entityId })).id
  const containerId = (await post('/v1/containers', { name: container, collection: collectionId })).id
  const image = await post('/v1/images', { hash: `sha256.${digest}`, container: containerId })
  return { containerId, imageId: image.id }
}

/** Pushes as a current client does, by parts above 64 MiB, and tags it; the bytes are a repeated block. */
export async function push(base, { token, entity, container, tag, size, block, digest }) {
  const { containerId, imageId } = await createImage(base, { token, entity, container, digest })
  const path = `/v2/imagefile/${imageId}`
  if (size > 64 * 2 ** 20) {
    const plan = (await call(base, { method: 'POST', path: `${path}/_multipart`, token, body: { filesize: size } }))
      .data
    const completedParts = []
    for (let partNumber = 1; partNumber <= plan.totalParts; partNumber += 1) {
      const partSize = Math.min(plan.partSize, size - (partNumber - 1) * plan.partSize)
      const sha256sum = digestOf({ size: partSize, block })
      const body = { partSize, uploadID: plan.uploadID, partNumber, sha256sum }
      const { presignedURL } = (await call(base, { method: 'PUT', path: `${path}/_multipart`, token, body })).data
      completedParts.push({ partNumber, token: (await putBytes(presignedURL, { size: partSize, block })).etag })
    }
    await call(base, {
      method: 'PUT',
      path: `${path}/_multipart_complete`,
      token,
      body: { uploadID: plan.uploadID, completedParts },
    })
  } else {
    const { uploadURL } = (
      await call(base, { method: 'POST', path, token, body: { filesize: size, sha256sum: digest } })
    ).data
    await putBytes(uploadURL, { size, block })
    await call(base, { method: 'PUT', path: `${path}/_complete`, token, body: {} })
  }
  await call(base, {
    method: 'POST',
    path: `/v2/tags/${containerId}`,
    token,
    body: { Arch: 'amd64', Tag: tag, ImageID: imageId },
  })
  return { containerId, imageId }
}
