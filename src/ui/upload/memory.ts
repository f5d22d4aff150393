/** Uploads under way that this browser remembers, so that they go on after a reload or a crash. No secret is in them. */

export interface RememberedUpload {
  readonly id: string
  readonly path: string
  readonly tags: readonly string[]
  readonly arch: string | undefined
  readonly name: string
  readonly size: number
  readonly lastModified: number
  readonly digest: string
}

const storeName = 'uploads'

function open(): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(`sif-library ${new URL(document.baseURI).pathname}`, 1)
    request.onupgradeneeded = () => request.result.createObjectStore(storeName, { keyPath: 'id' })
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })
}

async function run<T>(mode: IDBTransactionMode, ask: (store: IDBObjectStore) => IDBRequest<T>): Promise<T | undefined> {
  try {
    const database = await open()
    return await new Promise<T>((resolve, reject) => {
      const request = ask(database.transaction(storeName, mode).objectStore(storeName))
      request.onsuccess = () => resolve(request.result)
      request.onerror = () => reject(request.error)
    }).finally(() => database.close())
  } catch {
    // a private window may offer no storage: an upload then lasts as long as the page
    return undefined
  }
}

export const remembered = {
  list: async (): Promise<readonly RememberedUpload[]> =>
    (await run<RememberedUpload[]>('readonly', (store) => store.getAll())) ?? [],
  put: async (upload: RememberedUpload): Promise<void> => {
    await run('readwrite', (store) => store.put(upload))
  },
  delete: async (id: string): Promise<void> => {
    await run('readwrite', (store) => store.delete(id))
  },
}
