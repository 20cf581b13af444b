// The mirror as a part of an agent process. What it is made of (libp2p, gRPC) is loaded when it starts: other processes carry none of it.
import type { Running } from '#coordination/capability.ts'
import type { AgentOptions } from './agent.ts'
import type { MirrorConfig } from './config.ts'

/** Runs the mirror of this node until disposed of. @throws as `startMirrorAgent` does */
export async function startMirror(options: AgentOptions): Promise<Running<MirrorConfig>> {
  const { startMirrorAgent } = await import('./agent.ts')
  const agent = await startMirrorAgent(options)
  return {
    health: () => agent.checks(),
    // Its ports and its place among the others hang on all of it.
    reconfigure: async () => 'restart-part',
    [Symbol.asyncDispose]: () => agent[Symbol.asyncDispose](),
  }
}
