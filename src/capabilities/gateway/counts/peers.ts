// The other replicas, as EndpointSlices of the Service that our own pod is in tell of them; and how they are asked.
import { request } from 'undici'
import { at, listAt, textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { Peer } from './shared-counts.ts'

/** One that does not answer in this time keeps its last numbers. */
const timeoutMs = 400
const mostBytes = 32 * 1024 * 1024

/** Pods that serve, also while they end, since what they have is still with them: names and addresses, by the name of their Service. */
export function servingPods(slices: Iterable<KubeObject>): ReadonlyMap<string, ReadonlyMap<string, string>> {
  const byService = new Map<string, Map<string, string>>()
  for (const slice of slices) {
    const service = slice.metadata.labels?.['kubernetes.io/service-name']
    if (service === undefined || at(slice, 'addressType') === 'FQDN') continue
    for (const endpoint of listAt(slice, 'endpoints')) {
      const [address] = listAt(endpoint, 'addresses')
      const target = at(endpoint, 'targetRef')
      const name = textAt(target, 'name')
      const serves = at(endpoint, 'conditions', 'ready') !== false || at(endpoint, 'conditions', 'serving') === true
      if (textAt(target, 'kind') !== 'Pod' || name === undefined || typeof address !== 'string' || !serves) continue
      const pods = byService.get(service) ?? new Map<string, string>()
      pods.set(name, address)
      byService.set(service, pods)
    }
  }
  return byService
}

/** The other pods of the Services that our own pod is in. */
export function peersIn(
  slices: Iterable<KubeObject>,
  { own, port }: { readonly own: string; readonly port: number },
): readonly Peer[] {
  const others = new Map<string, string>()
  for (const pods of servingPods(slices).values())
    if (pods.has(own)) for (const [name, address] of pods) if (name !== own) others.set(name, address)
  return [...others.values()].toSorted().map(address => ({ authority: authorityOf(address, port) }))
}

/** All pods of a Service that serve: for a scaler that has no requests of its own. */
export function peersOf(
  slices: Iterable<KubeObject>,
  { service, port }: { readonly service: string; readonly port: number },
): readonly Peer[] {
  const found = new Set<string>()
  for (const slice of slices) {
    if (slice.metadata.labels?.['kubernetes.io/service-name'] !== service || at(slice, 'addressType') === 'FQDN') continue
    for (const endpoint of listAt(slice, 'endpoints')) {
      const [address] = listAt(endpoint, 'addresses')
      const serves = at(endpoint, 'conditions', 'ready') !== false || at(endpoint, 'conditions', 'serving') === true
      if (typeof address === 'string' && serves) found.add(address)
    }
  }
  return [...found].toSorted().map(address => ({ authority: authorityOf(address, port) }))
}

export function authorityOf(address: string, port: number): string {
  return `${address.includes(':') ? `[${address}]` : address}:${port}`
}

/** What a replica says at an admin path. @throws Error where it says nothing in time, or too much */
export async function askPeer(
  { authority }: Peer,
  path: string,
  signal: AbortSignal,
  limits: { readonly timeoutMs: number; readonly mostBytes: number } = { timeoutMs, mostBytes },
): Promise<{ readonly status: number; readonly body: string }> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(limits.timeoutMs)])
  const { statusCode, body } = await request(`http://${authority}${path}`, { signal: limit })
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of body as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > limits.mostBytes) throw new Error(`more than ${limits.mostBytes} bytes`)
    chunks.push(chunk)
  }
  return { status: statusCode, body: Buffer.concat(chunks).toString('utf8') }
}
