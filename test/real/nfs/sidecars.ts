// Those who provision, resize and take snapshots beside a driver: upstream's four sidecars, or ours in their place, with the same flags.

import { join } from 'node:path'
import type { ControlPlane } from '../control-plane/start.ts'
import { type Program, startProgram, until } from '../mirror/laboratory/program.ts'
import { upstreamPath } from '../upstreams/build.ts'
import { type ClaimsSite, sidecarNamespace } from './claims-site.ts'

/** As the chart of 4.13 has them, but for limits of time. */
const sidecars = {
  'csi-provisioner': ['--extra-create-metadata=true', '--feature-gates=VolumeAttributesClass=false'],
  'csi-resizer': ['-handle-volume-inuse-error=false', '-feature-gates=VolumeAttributesClass=false'],
  'csi-snapshotter': [],
  'snapshot-controller': [],
} as const

export type SidecarName = keyof typeof sidecars
const names = Object.keys(sidecars) as readonly SidecarName[]

/** A program with what comes before the flags. */
type SidecarCommand = readonly [program: string, ...args: string[]]
export type SidecarCommands = ReadonlyMap<SidecarName, SidecarCommand>

/** @throws PartUnavailable where one cannot be built */
export async function upstreamSidecars(): Promise<SidecarCommands> {
  const commands = new Map<SidecarName, SidecarCommand>()
  for (const name of names) commands.set(name, [await upstreamPath(name)])
  return commands
}

const ourProgram = join(import.meta.dirname, '..', '..', '..', 'src', 'cli', 'main.ts')
export const ourSidecars: SidecarCommands = new Map(names.map(name => [name, [process.execPath, ourProgram, name] as const]))

type FlagsOf = (name: SidecarName) => readonly string[]

/** A call ends after 5 s, what failed is tried again within 2 s, and requests are not held back. */
export const impatient: FlagsOf = name => [
  '--retry-interval-max=2s',
  '--kube-api-qps=200',
  '--kube-api-burst=400',
  ...(name === 'snapshot-controller' ? [] : ['--timeout=5s']),
]

/** The same, and VolumeAttributesClasses are carried out. */
export const withClasses: FlagsOf = name => [
  ...impatient(name),
  ...(name === 'csi-provisioner' || name === 'csi-resizer' ? ['--feature-gates=VolumeAttributesClass=true'] : []),
]

export interface Sidecars extends AsyncDisposable {
  readonly programs: readonly Program[]
}

interface SidecarOptions {
  readonly flagsOf?: FlagsOf
  /** Somebody else leads: it is not waited for that these do. */
  readonly standsBy?: boolean
  /** What ours call themselves in Leases; upstream's are called as the host. */
  readonly pod?: string
}

/** Who holds the Leases of the sidecars; one that was given up has ''. */
export async function holders({ client }: ControlPlane): Promise<readonly string[]> {
  const { body } = await client.send('GET', `/apis/coordination.k8s.io/v1/namespaces/${sidecarNamespace}/leases`)
  const { items = [] } = body as { readonly items?: readonly { readonly spec: { readonly holderIdentity?: string } }[] }
  return items.map(({ spec }) => spec.holderIdentity ?? '')
}

/** With the driver's socket and rights over everything; each of them leads. @throws Error with the log of one that ended */
export async function startSidecars(
  { plane, driver }: ClaimsSite,
  commands: SidecarCommands,
  { flagsOf = impatient, standsBy = false, pod }: SidecarOptions = {},
): Promise<Sidecars> {
  const programs = [...commands].map(([name, [program, ...args]]) =>
    startProgram(
      program,
      [
        ...args,
        `--kubeconfig=${plane.kubeconfig}`,
        ...(name === 'snapshot-controller' ? [] : [`--csi-address=${driver.socket}`]),
        '--leader-election=true',
        `--leader-election-namespace=${sidecarNamespace}`,
        '-v=2',
        ...sidecars[name],
        ...flagsOf(name),
      ],
      { env: { POD_NAMESPACE: sidecarNamespace, ...(pod === undefined ? {} : { POD_NAME: pod }) } },
    ),
  )
  const stop = async () => {
    await Promise.all(programs.map(program => program.stop()))
  }
  try {
    await until(
      'each sidecar leads',
      async () => {
        const ended = programs.find(program => program.hasEnded())
        if (ended !== undefined) throw new Error(`a sidecar ended: ${ended.log()}`)
        return standsBy || (await holders(plane)).length === programs.length
      },
      60_000,
    )
  } catch (cause) {
    await stop()
    throw cause
  }
  return { programs, [Symbol.asyncDispose]: stop }
}
