// Merge patches by reading and updating, for roles that may update what they may not patch: Reloader's has no `patch` for ConfigMaps.

import type { Transport, TransportRequest, TransportResponse } from '#kube/client/transport.ts'
import { applyMergePatch } from '#kube/objects/merge-patch.ts'

const updateTries = 3
const conflict = 409

/** `inner`, but a merge patch of a path that `isMeant` is an update of what is read; one with a resourceVersion is refused as the server would. */
export function patchByUpdate(inner: Transport, isMeant: (path: string) => boolean): Transport {
  const isPatch = ({ verb, path, headers }: TransportRequest) =>
    verb === 'PATCH' && headers?.['content-type'] === 'application/merge-patch+json' && isMeant(path)
  return {
    request: request => (isPatch(request) ? updated(inner, request) : inner.request(request)),
    stream: request => inner.stream(request),
    close: () => inner.close(),
  }
}

async function updated(inner: Transport, request: TransportRequest): Promise<TransportResponse> {
  const { path, headers = {}, signal, timeoutMs, priority, guard } = request
  const patch: unknown = JSON.parse(textOf(request.body))
  const { accept: _, 'content-type': __, ...kept } = headers
  const around = {
    path,
    signal,
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(priority === undefined ? {} : { priority }),
  }
  for (let attempt = 1; ; attempt++) {
    const read = await inner.request({ ...around, verb: 'GET', headers: { ...kept, accept: 'application/json' } })
    if (read.status !== 200) return read
    const body = JSON.stringify(applyMergePatch(JSON.parse(textOf(read.body)), patch))
    const answer = await inner.request({
      ...around,
      verb: 'PUT',
      headers: { ...headers, 'content-type': 'application/json' },
      body,
      ...(guard === undefined ? {} : { guard }),
      ...(request.query === undefined ? {} : { query: request.query }),
    })
    if (answer.status !== conflict || hasVersion(patch) || attempt === updateTries) return answer
  }
}

function textOf(body: string | Uint8Array | undefined): string {
  return typeof body === 'string' ? body : Buffer.from(body ?? []).toString()
}

/** A patch that names a version is to fail on a conflict. */
function hasVersion(patch: unknown): boolean {
  const metadata = typeof patch === 'object' && patch !== null && 'metadata' in patch ? patch.metadata : undefined
  return typeof metadata === 'object' && metadata !== null && 'resourceVersion' in metadata
}
