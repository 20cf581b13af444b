// What capabilities install beside what follows from their parts: pods of a shape of their own, each with a block of the values.
import type * as z from 'zod'
import type { Capability } from '#coordination/capability.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { Problem } from '#kube/problem.ts'
import { enabledCapabilities } from '#process/enabled-capabilities.ts'
import type { AccountName, Release, Values } from './names.ts'
import type { RemovalRun } from './removal/removal-run.ts'
import type { ObjectTree, Tree } from './tree.ts'

declare module '#coordination/capability.ts' {
  interface CapabilitySections {
    readonly installs?: () => Promise<CapabilityObjects>
  }
}

export interface CapabilityObjects {
  /** Its block of the values, with an account of its own; absent where its section of the configuration says all. */
  readonly block?: {
    readonly name: string
    readonly values: z.ZodType
    /** Its accounts; absent: one, which is called as the block is. */
    readonly accounts?: readonly AccountName[]
  }
  /** What is wrong with whole values beyond their form; `where` names them. */
  readonly problems?: (values: Values, where: string) => readonly Problem[]
  /** A process that is there where `enabled` of its block says so, in whatever namespace: Kustomize has a component that switches it on. */
  readonly isSwitched?: true
  /** All that it may consist of, with its account and its rights. */
  readonly objects: (capabilities: readonly Capability[]) => readonly ObjectTree[]
  /** What only Helm makes, before it deletes a release. */
  readonly hooks?: (capabilities: readonly Capability[]) => readonly ObjectTree[]
  /** What those hooks do, done by `ballast uninstall` once the controller is stopped. */
  readonly uninstall?: (run: RemovalRun) => Promise<void>
  /** Rules of the chart's hook, which runs that command, beyond what follows from what the capability leaves. */
  readonly uninstallRights?: readonly Tree[]
  /** The same for who has neither: `ballast manifests --cleanup`. */
  readonly cleanup?: (
    values: Values,
    around: { readonly capabilities: readonly Capability[]; readonly release: Release },
  ) => readonly KubeObject[]
  /** A pod of it for a machine image, from the objects of an installation: `ballast manifests --static-pod`. */
  readonly staticPod?: (made: readonly KubeObject[]) => KubeObject
}

const installed: ReadonlyMap<string, CapabilityObjects> = new Map(
  await Promise.all(
    enabledCapabilities.flatMap(({ name, installs }) =>
      installs === undefined ? [] : [installs().then(objects => [name, objects] as const)],
    ),
  ),
)

/** What `capabilities` install, in their order. */
export function installedBy(capabilities: readonly { readonly name: string }[]): readonly CapabilityObjects[] {
  return capabilities.flatMap(({ name }) => installed.get(name) ?? [])
}
