// What capabilities install beside their parts: processes of their own, each with a block of the values.
import type * as z from 'zod'
import type { Problem } from '#kube/problem.ts'
import { enabledCapabilities } from '#process/enabled-capabilities.ts'
import type { Values } from './names.ts'
import type { ObjectTree } from './tree.ts'

declare module '#coordination/capability.ts' {
  interface CapabilitySections {
    readonly installs?: () => Promise<InstalledProcess>
  }
}

/** A process that is there where `<name>.enabled` says so. */
export interface InstalledProcess {
  /** Its component, its block of the values and the beginning of its account: `<name>Account`. */
  readonly name: string
  /** The schema of its block. */
  readonly values: z.ZodType
  /** What is wrong with whole values beyond their form; `where` names them. */
  readonly problems: (values: Values, where: string) => readonly Problem[]
  /** All that it may consist of, with its rights and monitors. */
  readonly objects: () => readonly ObjectTree[]
}

const installed: ReadonlyMap<string, InstalledProcess> = new Map(
  await Promise.all(
    enabledCapabilities.flatMap(({ name, installs }) =>
      installs === undefined ? [] : [installs().then(process => [name, process] as const)],
    ),
  ),
)

/** What `capabilities` install, in their order. */
export function installedBy(capabilities: readonly { readonly name: string }[]): readonly InstalledProcess[] {
  return capabilities.flatMap(({ name }) => installed.get(name) ?? [])
}
