// What runs on every node: it has no arbiter, and offers facts instead. The worked example of docs/writing-a-capability.md.
import type { NodeContext, Running } from '#coordination/capability.ts'

export async function startPresence({ node }: NodeContext): Promise<Running<unknown>> {
  return {
    health: () => [{ name: 'refresh-presence', ok: true, message: `on ${node}` }],
    reconfigure: async () => 'applied',
    [Symbol.asyncDispose]: async () => undefined,
  }
}
