// What an NFS driver is asked, as data: `real/nfs/record-driver.ts` asks upstream's driver and writes its answers to `fixtures/nfs/driver-answers.json`, and ours is
// held to them. Each case has servers and a driver of its own. Texts of a request may hold `$targets` and `$work` (folders of the site), and
// `$volume:NAME` or `$snapshot:NAME` (the id in the answer to the step of that name).

import type { CsiCall, CsiMessage } from './csi-wire.ts'
import { createCases } from './nfs-create-cases.ts'
import { deleteCases } from './nfs-delete-cases.ts'
import { nodeCases } from './nfs-node-cases.ts'
import { snapshotCases } from './nfs-snapshot-cases.ts'

export interface CallStep {
  readonly call: CsiCall
  readonly request: CsiMessage
  /** Name by which later steps have the id that this one is answered with. */
  readonly as?: string
}

/** What is there beforehand: a text is a file, `{ to }` a link, without both it is a folder. What an entry names is set in the order of entries. */
export type Planted =
  | string
  | { readonly to: string }
  | { readonly mode?: number; readonly text?: string; readonly pipe?: boolean; readonly modifiedMs?: number }

export type Step =
  | CallStep
  /** Makes, or with undefined removes, what lies at a path: the server's name is its first part, or `targets:` is before it. */
  | { readonly plant: Readonly<Record<string, Planted | undefined>> }
  /** As `Told` of the stand-in. */
  | { readonly tell: string; readonly told: Readonly<Record<string, unknown>> | undefined }
  /** While the first call waits in mount or umount the steps are done; then the server is told nothing more, and the call's answer comes last. */
  | { readonly begin: CallStep; readonly waitsFor: string; readonly meanwhile: readonly Step[] }
  /** Ends the driver by SIGKILL and starts it anew with these flags. Mounts stay. */
  | { readonly restart: readonly string[] }

export interface DriverCase {
  /** In words; with the row of the spec's table where it is one. */
  readonly name: string
  /** Beside endpoint, node and working directory. */
  readonly flags?: readonly string[]
  /** Made beforehand as `server/share`; `candlekeep/kubernetes` without. */
  readonly shares?: readonly string[]
  readonly steps: readonly Step[]
  /** It takes minutes: recorded, and not asked again by every run. */
  readonly isSlow?: boolean
}

const areas = { create: createCases, delete: deleteCases, node: nodeCases, snapshot: snapshotCases }

export const driverCases: readonly DriverCase[] = Object.entries(areas).flatMap(([area, cases]) =>
  cases.map(one => ({ ...one, name: `${area}: ${one.name}` })),
)

/** How many calls the cases make. */
export const callCount = (steps: readonly Step[]): number =>
  steps.reduce((sum, step) => {
    if ('begin' in step) return sum + 1 + callCount(step.meanwhile)
    return 'call' in step ? sum + 1 : sum
  }, 0)
