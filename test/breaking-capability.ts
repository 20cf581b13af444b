// A capability that does as a test says.
import * as z from 'zod'
import { type Capability, type ControllerContext, capability } from '#coordination/capability.ts'
import type { Need } from '#coordination/needs.ts'

export type Start = (context: ControllerContext, signal: AbortSignal) => Promise<void> | void

/** A capability with one part that does `start` and nothing else. */
export function doing(
  name: string,
  start: Start,
  presence: 'leading' | 'always' = 'leading',
  { end = () => undefined, needs = [] }: { readonly end?: () => Promise<void> | void; readonly needs?: readonly Need[] } = {},
): Capability {
  return capability({
    name,
    config: z.object({}),
    kinds: [],
    replaces: [],
    disrupts: [],
    parts: [
      {
        process: 'controller',
        presence,
        trust: 'core',
        needs,
        permissions: [],
        listeners: [],
        offers: [],
        takes: [],
        async start(context, _config, signal) {
          await start(context, signal)
          return {
            health: () => [],
            reconfigure: async () => 'restart-part' as const,
            [Symbol.asyncDispose]: async () => end(),
          }
        },
      },
    ],
    leaves: [],
  })
}
