// Processors by chance, from a seed: every leaf that is looked at, with many bits and few, of vendors that are known and not.

import type { CpuidSource } from '../../../src/capabilities/features/discovery/cpu/cpuid-registers.ts'
import { askedLeaves } from '../../../src/capabilities/features/discovery/cpu/read-cpuid.ts'
import { SeededRandom } from '../placements/seeded-random.ts'

export interface ProcessorQuestion {
  /** EAX, EBX, ECX, EDX by `leaf.subleaf`. */
  readonly leaves: Readonly<Record<string, readonly [number, number, number, number]>>
  readonly xcr0: number
}

/** What a processor that can be asked answers, as a question. */
export function questionOf({ leaf, xcr0 }: Extract<CpuidSource, { readonly kind: 'registers' }>): ProcessorQuestion {
  const leaves = askedLeaves.map(([number, subleaf]) => {
    const { eax, ebx, ecx, edx } = leaf(number, subleaf)
    return [`${number}.${subleaf}`, [eax, ebx, ecx, edx] as const] as const
  })
  return { leaves: Object.fromEntries(leaves), xcr0: xcr0() }
}

/** What the library read; names of flags with blanks between them. */
export interface ProcessorAnswer {
  readonly flags: string
  readonly vendor: string
  readonly family: number
  readonly model: number
  readonly hypervisor?: string
  readonly avx10?: number
  readonly enclaves?: number
  readonly level?: number
}

const vendors = ['GenuineIntel', 'AuthenticAMD', 'HygonGenuine', 'CentaurHauls', 'Something\0']
const hypervisors = ['KVMKVMKVM\0\0\0', 'Microsoft Hv', 'bhyve bhyve ', 'my own #1\0', '\0']
const families = [0x6, 0xf, 0x5]
const mosts = [0, 1, 4, 6, 7, 0xa, 0xb, 0xd, 0x19, 0x20, 0x21, 0x24, 0x40]
const mostsExtended = [
  0x0, 0x8000_0001, 0x8000_0008, 0x8000_000a, 0x8000_001a, 0x8000_001e, 0x8000_001f, 0x8000_0021, 0x8000_00ff,
]
const states = [0, 3, 7, 0xe0, 0xe7, 0xff]

/** `count` processors of `seed`. */
export function processorQuestions(seed: number, count: number): readonly ProcessorQuestion[] {
  const random = new SeededRandom(seed)
  return Array.from({ length: count }, () => processorQuestion(random))
}

function processorQuestion(random: SeededRandom): ProcessorQuestion {
  const oneOf = <Value>(values: readonly [Value, ...Value[]] | readonly Value[]): Value => {
    const value = values[random.below(values.length)]
    if (value === undefined) throw new Error('nothing to choose from')
    return value
  }
  const density = random.fraction()
  const number = () => {
    let value = 0
    for (let at = 0; at < 32; at += 1) if (random.chance(density)) value |= 1 << at
    return value >>> 0
  }
  const leaves: Record<string, readonly [number, number, number, number]> = {}
  for (const [leaf, subleaf] of askedLeaves) leaves[`${leaf}.${subleaf}`] = [number(), number(), number(), number()]
  const [b, d, c] = words(oneOf(vendors))
  leaves['0.0'] = [oneOf(mosts), b, c, d]
  const [hb, hc, hd] = words(oneOf(hypervisors))
  leaves[`${0x4000_0000}.0`] = [0x4000_0001, hb, hc, hd]
  leaves[`${0x8000_0000}.0`] = [oneOf(mostsExtended), 0, 0, 0]
  const [signature = 0, ...rest] = leaves['1.0'] ?? []
  const withFamily = ((signature & ~0xf00) | (oneOf(families) << 8)) >>> 0
  leaves['1.0'] = [withFamily, rest[0] ?? 0, rest[1] ?? 0, rest[2] ?? 0]
  if (random.chance(0.3)) leaves['11.0'] = [0, random.below(3), 0, 0]
  if (random.chance(0.3)) leaves['10.0'] = [random.below(4), random.below(16), 0, random.below(6)]
  if (random.chance(0.2)) leaves['33.0'] = [0, ...insideOut(words('IntelTDX    '))]
  if (random.chance(0.2)) leaves[`${0x4000_000c}.0`] = [0, 0xbe3, 0, 0]
  for (let subleaf = 2; subleaf < 10; subleaf += 1)
    leaves[`18.${subleaf}`] = [random.below(3), number(), number(), random.below(0x10_0000)]
  return { leaves, xcr0: oneOf(states) }
}

/** The registers EBX, ECX, EDX of a text that lies in EBX, EDX, ECX. */
function insideOut([first, second, third]: readonly [number, number, number]): [number, number, number] {
  return [first, third, second]
}

function words(text: string): [number, number, number] {
  const bytes = Buffer.alloc(12)
  bytes.write(text, 'latin1')
  return [bytes.readUInt32LE(0), bytes.readUInt32LE(4), bytes.readUInt32LE(8)]
}
