// The mirror as a part of an agent process. What it is made of (libp2p, gRPC) is loaded when it starts: other processes carry none of it.
import type { Running } from '#coordination/capability.ts'
import type { AgentOptions } from './agent.ts'
import type { MirrorConfig } from './config.ts'
import type { Prefetcher } from './prefetch.ts'

/** Runs the mirror of this node until disposed of. @throws as `startMirrorAgent` does */
export async function startMirror(options: AgentOptions): Promise<Running<MirrorConfig>> {
  const { startMirrorAgent } = await import('./agent.ts')
  await using opening = new AsyncDisposableStack()
  const prefetcher = options.prefetcher ?? (await openPuller(options, opening))
  const agent = opening.use(await startMirrorAgent({ ...options, prefetcher }))
  const stack = opening.move()
  return {
    health: () => agent.checks(),
    // Its ports and its place among the others hang on all of it.
    reconfigure: async () => 'restart-part',
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

/** Only where others can ask for it: by mutual TLS. */
async function openPuller(
  { settings, clock, random, log }: AgentOptions,
  stack: AsyncDisposableStack,
): Promise<Prefetcher | undefined> {
  if (settings.peerTlsAddress === undefined) return undefined
  const { PrefetchPuller } = await import('./pulling/prefetch-puller.ts')
  const { containerdSocket: socket, containerdNamespace: namespace } = settings
  return stack.use(new PrefetchPuller({ socket, namespace, clock, random, log }))
}
