// A role of `ballast agent` that is started by flags of its own: what a capability's part on nodes does not say of itself.
import type { Command } from 'commander'
import type * as z from 'zod'
import type { Api } from '#kube/client/api.ts'
import type { Log } from '#kube/log.ts'
import type { AgentPart } from '#process/agent/agent-host.ts'
import type { Surroundings } from './command-line.ts'

declare module '#coordination/capability.ts' {
  interface CapabilitySections {
    /** Only where a role takes flags. Every other part on nodes is started as its value says, with the API server. */
    readonly agentRole?: { readonly role: string; readonly load: () => Promise<AgentRole> }
  }
}

export interface AgentRole {
  /** The section of the configuration, by which flags are completed. */
  readonly configuration: z.ZodObject
  readonly addFlags: (command: Command) => void
  /** What the help of `ballast agent` says of them. */
  readonly help: string
  /** Does what a flag asks for in place of running, and says whether one did. @throws CommandRefused for such a flag without the role */
  readonly actsInstead: (asked: AskedRole & { readonly isWanted: boolean }) => Promise<boolean>
  /** @throws InputError for flags that are wrong, before anything is started */
  readonly part: (asked: AskedRole) => AgentPart
}

export interface AskedRole {
  /** With the flags as they were given. */
  readonly command: Command
  /** `undefined` where there is no configuration. */
  readonly section: unknown
  readonly environment: Surroundings['environment']
  readonly log: Log
  /** The API server of this node's cluster, loaded and asked only then; who asks closes it. */
  readonly connect: () => Promise<Api>
}
