// When ours ends and an upstream's plugin of the resource is there, as on the way back from ours.
//
// Kubelets up to 1.36 know plugins by their resource alone. When ours ends, such a kubelet ends the connection of the newest in its place, and counts no
// device. Upstream's plugin 0.36 then breaks with its next list, and its pod starts anew. So ours registers once more before it ends: the connection that
// the kubelet ends is our own. Right after that upstream's plugin is registered in its place, and says its list.

import type { Clock } from '#kube/clock.ts'
import type { PluginDirectory } from '#kube/grpc/plugin-directory.ts'
import { type Log, messageOf } from '#kube/log.ts'
import { isOutside } from '#kube/outside-error.ts'
import { resourceFile } from '../names.ts'
import { register } from './register.ts'

/** By then the kubelet has opened our second connection, and has heard of the end of both. */
const openMs = 100
const noticeMs = 100
const handOverLimitMs = 5_000

interface HandOver {
  readonly directory: PluginDirectory
  readonly resource: string
  /** The name of our own socket. */
  readonly own: string
  readonly clock: Clock
  readonly log: Log
}

/** Sockets of upstream's programs for the resource, by the names that they give them. */
export function upstreamSockets(directory: PluginDirectory, resource: string): readonly string[] {
  const stem = resourceFile(resource)
  const known = [`${stem}.sock`, stem.replace('-', '_')]
  return directory
    .sockets(stem.slice(0, stem.indexOf('-')))
    .map(({ name }) => name)
    .filter(name => known.includes(name))
}

/** Is an upstream's plugin of the resource there? */
export async function isUpstreamBeside(directory: PluginDirectory, resource: string, signal: AbortSignal): Promise<boolean> {
  for (const name of upstreamSockets(directory, resource)) if (await directory.answers(name, signal)) return true
  return false
}

/** Ends ours by `end`, and has upstream's plugin go on where one answers and no other of ours does. What the kubelet refuses stops nothing. */
export async function handOver(of: HandOver, end: () => Promise<void>): Promise<void> {
  const limit = new AbortController()
  const cancel = of.clock.schedule(handOverLimitMs, () => limit.abort(new DOMException('it takes too long', 'AbortError')))
  try {
    const heirs = await heirsOf(of, limit.signal)
    if (heirs.length > 0) await attempt(of, of.own, openMs, limit.signal)
    await end()
    if (heirs.length === 0) return
    await of.clock.after(noticeMs, limit.signal)
    for (const heir of heirs) await attempt(of, heir, 0, limit.signal)
    of.log.info({ resource: of.resource, sockets: heirs }, "upstream's plugin goes on in our place")
  } catch (error) {
    if (!limit.signal.aborted) throw error
    of.log.warn({ resource: of.resource }, "upstream's plugin could not be told to the kubelet in time")
    await end()
  } finally {
    cancel()
  }
}

async function heirsOf({ directory, resource, own }: HandOver, signal: AbortSignal): Promise<readonly string[]> {
  const found: string[] = []
  for (const name of upstreamSockets(directory, resource)) if (await directory.answers(name, signal)) found.push(name)
  if (found.length === 0) return []
  for (const { name } of directory.sockets(`${resourceFile(resource)}-`))
    if (name !== own && (await directory.answers(name, signal))) return []
  return found
}

/** Kubelets since 1.37 tell plugins apart, and refuse a second registration at one path: then there is nothing to mend. */
async function attempt(
  { directory, resource, clock, log }: HandOver,
  endpoint: string,
  afterwardsMs: number,
  signal: AbortSignal,
): Promise<void> {
  try {
    await register({ directory: directory.path, endpoint, resource }, clock, signal)
    if (afterwardsMs > 0) await clock.after(afterwardsMs, signal)
  } catch (error) {
    signal.throwIfAborted()
    if (!isOutside(error)) throw error
    log.debug({ resource, endpoint, why: messageOf(error) }, 'the kubelet does not take the plugin twice')
  }
}
