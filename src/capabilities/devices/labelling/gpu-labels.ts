// The labels that AMD's node labeller gives a node: pure. The names are its contract.

import { labelValueProblems, qualifiedNameProblems } from '#kube/objects/names.ts'
import type { GpuFacts, NodeGpus } from './gpu-facts.ts'

type Labels = Readonly<Record<string, string>>
type Counts = ReadonlyMap<string, number>

const prefixes = { usual: 'amd.com/gpu.', legacy: 'beta.amd.com/gpu.' } as const

const bytesPerMebibyte = 1024 * 1024

/** What can be told of GPUs, each a flag of upstream's. */
export const labelKinds = [
  'firmware',
  'family',
  'driver-version',
  'driver-src-version',
  'device-id',
  'product-name',
  'vram',
  'simd-count',
  'cu-count',
  'compute-memory-partition',
  'compute-partitioning-supported',
  'memory-partitioning-supported',
] as const
export type LabelKind = (typeof labelKinds)[number]

/** Families as the kernel's header names them, by the instruction sets of their GPUs. */
const families: readonly (readonly [family: string, versions: readonly number[]])[] = [
  ['KV', [70_000, 70_003, 70_005]],
  ['CI', [70_001, 70_002, 70_004]],
  ['CZ', [80_001, 80_100]],
  ['VI', [80_002, 80_003, 80_005]],
  ['AI', [90_000, 90_004, 90_006, 90_008, 90_010, 90_400, 90_401, 90_402, 90_500]],
  ['RV', [90_002, 90_009, 90_012]],
  ['NV', [100_100, 100_101, 100_102, 100_103, 100_300, 100_301, 100_302, 100_304]],
  ['VGH', [100_303]],
  ['YC', [100_305]],
  ['GC_10_3_6', [100_306]],
  ['GC_10_3_7', [100_307]],
  ['GC_11_0_0', [110_000, 110_001, 110_002]],
  ['GC_11_0_1', [110_003]],
  ['GC_11_5_0', [110_500, 110_501, 110_502]],
]
const familyByVersion = new Map(families.flatMap(([family, versions]) => versions.map(version => [version, family] as const)))

const tellers: Readonly<Record<LabelKind, (node: NodeGpus) => Labels>> = {
  firmware: ({ gpus }) => {
    const counts = countOf(gpus.flatMap(({ firmware }) => Array.from(firmware, ([part, version]) => `${part}.fw.${version}`)))
    return Object.fromEntries(Array.from(counts, ([name, count]) => [`${prefixes.legacy}firmware.${name}`, String(count)]))
  },
  family: counted('family', ({ gfxVersion }) => (gfxVersion === undefined ? undefined : familyByVersion.get(gfxVersion))),
  'driver-version': first('driver-version', ({ driverVersion }) => driverVersion),
  'driver-src-version': first('driver-src-version', ({ driverSourceVersion }) => driverSourceVersion),
  'device-id': counted('device-id', ({ deviceId }) => deviceId),
  'product-name': counted('product-name', ({ productName }) => productName?.replaceAll(' ', '_').replaceAll(/[()]/g, '')),
  vram: counted('vram', ({ vramBytes }) =>
    vramBytes === undefined ? undefined : `${Math.round(Math.trunc(vramBytes / bytesPerMebibyte) / 1024)}G`,
  ),
  'simd-count': counted('simd-count', ({ simdCount }) => (simdCount === undefined ? undefined : String(simdCount))),
  'cu-count': counted('cu-count', ({ simdCount, simdPerCu }) =>
    simdCount === undefined || simdPerCu === undefined || simdPerCu === 0 ? undefined : String(Math.trunc(simdCount / simdPerCu)),
  ),
  'compute-memory-partition': ({ gpus }) => {
    const styles = new Set(gpus.flatMap(({ style }) => style ?? []))
    const [style = ''] = styles
    return styles.size === 1 ? { [`${prefixes.usual}compute-memory-partition`]: style } : {}
  },
  'compute-partitioning-supported': ({ canPartitionCompute }) => ({
    [`${prefixes.usual}compute-partitioning-supported`]: String(canPartitionCompute),
  }),
  'memory-partitioning-supported': ({ canPartitionMemory }) => ({
    [`${prefixes.usual}memory-partitioning-supported`]: String(canPartitionMemory),
  }),
}

interface GpuLabels {
  readonly labels: Labels
  /** Those that no API server takes, with the reason. */
  readonly refused: readonly { readonly label: string; readonly why: string }[]
}

/** Labels of a node for what is told. Without a GPU there are none. */
export function gpuLabels(node: NodeGpus, kinds: readonly LabelKind[]): GpuLabels {
  if (node.gpus.length === 0) return { labels: {}, refused: [] }
  const all = Object.entries(Object.assign({}, ...kinds.map(kind => tellers[kind](node))) as Labels)
  const judged = all.map(([key, value]) => ({
    key,
    value,
    why: [...qualifiedNameProblems(key), ...labelValueProblems(value)][0],
  }))
  return {
    labels: Object.fromEntries(judged.filter(({ why }) => why === undefined).map(({ key, value }) => [key, value])),
    refused: judged.flatMap(({ key, value, why }) => (why === undefined ? [] : [{ label: `${key}=${value}`, why }])),
  }
}

/** A label is the labeller's: those of all kinds, with a value in their name or without. */
function isOwn(label: string): boolean {
  const prefix = [prefixes.legacy, prefixes.usual].find(one => label.startsWith(one))
  if (prefix === undefined) return false
  const rest = label.slice(prefix.length)
  return labelKinds.some(kind => rest === kind || rest.startsWith(`${kind}.`))
}

/** All labels of a node, with these in place of all that are the labeller's. */
export function relabelled(present: Labels, labels: Labels): Labels {
  return { ...Object.fromEntries(Object.entries(present).filter(([label]) => !isOwn(label))), ...labels }
}

function countOf(values: readonly string[]): Counts {
  const counts = new Map<string, number>()
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1)
  return counts
}

/** One value of all GPUs is the label's; of several each is part of a name, with how many have it. The legacy ones are counted always. */
function counted(kind: LabelKind, read: (gpu: GpuFacts) => string | undefined): (node: NodeGpus) => Labels {
  return ({ gpus }) => {
    const counts = countOf(gpus.flatMap(gpu => read(gpu) ?? []))
    const single = counts.size === 1
    return Object.fromEntries(
      Array.from(counts, ([value, count]) => [
        [`${prefixes.legacy}${kind}.${value}`, String(count)],
        ...(single
          ? [
              [`${prefixes.legacy}${kind}`, value],
              [`${prefixes.usual}${kind}`, value],
            ]
          : [[`${prefixes.usual}${kind}.${value}`, String(count)]]),
      ]).flat(),
    )
  }
}

/** Empty where no GPU says it, as upstream's. */
function first(kind: LabelKind, read: (gpu: GpuFacts) => string | undefined): (node: NodeGpus) => Labels {
  return ({ gpus }) => ({ [`${prefixes.usual}${kind}`]: gpus.map(read).find(value => value !== undefined) ?? '' })
}
