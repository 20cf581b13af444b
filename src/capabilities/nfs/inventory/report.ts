// What was found on shares, as a ConfigMap: whoever looks at the cluster reads it, and cannot reach the servers. Others may write into it, so it is read with care.

import * as z from 'zod'
import { nfsInventoryName } from '#coordination/shown-notes.ts'
import type { Api } from '#kube/client/api.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { type LooseFolder, mostNamed, type Named, type ShareInventory } from './inventory.ts'

/** By this label it is found, whatever the namespace. */
export const reportLabel = 'ballast.dev/nfs-inventory'
const reportKey = 'inventory.json'
/** An object of the API server holds no more than 1 MiB. */
const largestReportBytes = 900_000
const mostShares = 256

export interface InventoryReport {
  readonly driver: string
  /** When the look ended, in milliseconds since 1970. */
  readonly atMs: number
  readonly shares: readonly ShareInventory[]
}

const counted = <T extends z.ZodType>(value: T) => z.object({ count: z.int().min(0), first: z.array(value).max(mostNamed) })
const named = z.string().max(1_024)
const loose = z.object({ id: z.string().max(4_096), changedMs: z.number(), bytes: z.number().min(0).optional() })
const schema = z.object({
  driver: z.string().max(63),
  atMs: z.number(),
  shares: z
    .array(
      z.object({
        server: named,
        share: z.string().max(4_096),
        problem: z.string().optional(),
        volumes: z.int().min(0),
        missing: counted(named),
        orphans: counted(loose),
        snapshots: counted(loose).optional(),
        archived: counted(loose),
        others: counted(named),
        unnamed: z.int().min(0),
      }),
    )
    .max(mostShares),
})

/** The text of a report; lists become shorter until it fits, the counts stay. */
export function reportText({ shares, ...report }: InventoryReport): string {
  for (let most = mostNamed; ; most = Math.floor(most / 2)) {
    const cut = <T>({ count, first }: Named<T>): Named<T> => ({ count, first: first.slice(0, most) })
    const text = JSON.stringify({
      ...report,
      shares: shares.slice(0, mostShares).map(({ missing, orphans, snapshots, archived, others, ...share }) => ({
        ...share,
        missing: cut(missing),
        orphans: cut(orphans),
        ...(snapshots === undefined ? {} : { snapshots: cut(snapshots) }),
        archived: cut(archived),
        others: cut(others),
      })),
    })
    if (Buffer.byteLength(text) <= largestReportBytes || most === 0) return text
  }
}

/** @throws ApiError where it may not be written */
export async function writeReport(
  api: Api,
  { namespace, ...report }: InventoryReport & { readonly namespace: string },
  signal: AbortSignal,
): Promise<void> {
  const object: KubeObject = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: nfsInventoryName, namespace, labels: { [reportLabel]: 'true', 'app.kubernetes.io/part-of': 'ballast' } },
    data: { [reportKey]: reportText(report) },
  }
  await api.resource<KubeObject>(builtIn.configmaps).apply(object, { fieldManager: 'ballast-nfs', force: true, signal })
}

/** What a ConfigMap says; undefined where it is no report, or nobody can read it. */
export function readReport(object: KubeObject): InventoryReport | undefined {
  const data: unknown = object['data']
  const text = typeof data === 'object' && data !== null ? (data as Readonly<Record<string, unknown>>)[reportKey] : undefined
  if (typeof text !== 'string') return undefined
  let found: unknown
  try {
    found = JSON.parse(text)
  } catch {
    // Others may write into it: what is no JSON is no report.
    return undefined
  }
  const read = schema.safeParse(found)
  if (!read.success) return undefined
  const shares = read.data.shares.map(({ problem, snapshots, ...share }) => ({
    ...share,
    ...(problem === undefined ? {} : { problem }),
    orphans: looseOf(share.orphans),
    snapshots: snapshots === undefined ? undefined : looseOf(snapshots),
    archived: looseOf(share.archived),
  }))
  return { ...read.data, shares }
}

type ReadLoose = z.infer<ReturnType<typeof counted<typeof loose>>>

const looseOf = ({ count, first }: ReadLoose): Named<LooseFolder> => ({
  count,
  first: first.map(({ id, changedMs, bytes }) => ({ id, changedMs, ...(bytes === undefined ? {} : { bytes }) })),
})
