// Reading one object by a list of one, for roles that may list what they may not get: KEDA's has `list` and `watch` for Secrets alone, since
// its libraries read from a cache.

import type { Transport, TransportRequest, TransportResponse } from '#kube/client/transport.ts'
import { statusBody } from '#kube/objects/status.ts'

/** Where an object lies whose kind `isMeant` says: the path of its kind there, and its name. */
interface Named {
  readonly collection: string
  readonly name: string
}

const ok = 200
const notFound = 404

/** `inner`, but a GET of what `named` finds in its path is a list of that name. */
export function readByList(inner: Transport, named: (path: string) => Named | undefined): Transport {
  return {
    request: async request => {
      const found = request.verb === 'GET' ? named(request.path) : undefined
      return found === undefined ? await inner.request(request) : await listed(inner, request, found)
    },
    stream: request => inner.stream(request),
    close: () => inner.close(),
  }
}

/** Secrets by their paths, but those of `except` (`namespace/name`). */
export function secretNamed(except: readonly string[]): (path: string) => Named | undefined {
  return path => {
    const [, collection = '', namespace = '', name = ''] = /^(\/api\/v1\/namespaces\/([^/]+)\/secrets)\/([^/]+)$/.exec(path) ?? []
    return name === '' || except.includes(`${namespace}/${name}`) ? undefined : { collection, name: decodeURIComponent(name) }
  }
}

async function listed(inner: Transport, request: TransportRequest, { collection, name }: Named): Promise<TransportResponse> {
  const query = { ...request.query, fieldSelector: `metadata.name=${name}` }
  const headers = { ...request.headers, accept: 'application/json' }
  const answer = await inner.request({ ...request, path: collection, query, headers })
  if (answer.status !== ok) return answer
  const list: unknown = JSON.parse(Buffer.from(answer.body).toString())
  const { items } = Object(list)
  const item: unknown = Array.isArray(items) ? items[0] : undefined
  const isThere = typeof item === 'object' && item !== null
  const body = isThere
    ? { ...item, apiVersion: 'v1', kind: 'Secret' }
    : statusBody(notFound, `secrets ${JSON.stringify(name)} not found`, 'NotFound')
  return {
    status: isThere ? ok : notFound,
    headers: { ...answer.headers, 'content-type': 'application/json' },
    body: Buffer.from(JSON.stringify(body)),
  }
}
