// The flags of an x86 processor by its registers.

import { type BitRow, bitRows, type Condition } from './cpuid-bits.ts'
import { bit, type CpuidSource, type Registers, type Signature, signatureIn, textIn, vendorNamed } from './cpuid-registers.ts'

type RegisterSource = Extract<CpuidSource, { readonly kind: 'registers' }>

export interface Processor extends Signature {
  readonly flags: ReadonlySet<string>
  readonly vendor: string
  /** The text of the hypervisor; empty without one. */
  readonly hypervisor: string
  /** 0: the processor has none. */
  readonly avx10Version: number
}

const firstExtended = 0x8000_0000
const sgxLeaf = 0x12
/** Microsoft's hypervisor says by this value that the guest is a trust domain. */
const hyperVTrustDomain = 0xbe3

/** Reads what a processor says of itself, as klauspost/cpuid 2.4 does. */
export function readProcessor(source: RegisterSource): Processor {
  const { leaf } = source
  const most = leaf(0).eax >>> 0
  const mostExtended = leaf(firstExtended).eax >>> 0
  const { ebx, ecx, edx } = leaf(0)
  const vendor = vendorNamed(textIn(ebx, edx, ecx))
  const hypervisorLeaf = leaf(0x4000_0000)
  const hypervisorText = textIn(hypervisorLeaf.ebx, hypervisorLeaf.ecx, hypervisorLeaf.edx)
  const flags = new Set<string>()
  if (most < 1) return { flags, vendor, family: 0, model: 0, hypervisor: '', avx10Version: 0 }
  const first = leaf(1)
  const signature = signatureIn(first.eax)
  const has = (number: number) => (number >= firstExtended ? number <= mostExtended : number <= most)
  const facts: Facts = { source, has, vendor, signature, first, flags }
  avx(facts)
  const xcr0 = bit(first.ecx, 26) && bit(first.ecx, 27) ? source.xcr0() : 0
  const hasAvx512 = ((xcr0 >>> 5) & 7) === 7 && ((xcr0 >>> 1) & 3) === 3
  const holds: Readonly<Record<Condition, () => boolean>> = {
    none: () => true,
    avx: () => flags.has('AVX'),
    avx512: () => hasAvx512,
    svm: () => flags.has('SVM'),
    ibs: () => flags.has('IBS'),
    amd: () => vendor === 'AMD',
    bmi1: () => flags.has('BMI1'),
    xsave: () => flags.has('XSAVE'),
    sgx: () => flags.has('SGX'),
    avx10: () => flags.has('AVX10'),
  }
  for (const row of bitRows) if ((row.leaf === sgxLeaf || has(row.leaf)) && holds[row.when]()) takeBits(row, leaf, flags)
  others(facts)
  performanceCounters(facts)
  levels(flags)
  const avx10Version = has(0x24) && flags.has('AVX10') ? leaf(0x24).ebx & 0xff : 0
  return { flags, vendor, ...signature, hypervisor: flags.has('HYPERVISOR') ? hypervisorText : '', avx10Version }
}

interface Facts {
  readonly source: RegisterSource
  readonly has: (leaf: number) => boolean
  readonly vendor: string
  readonly signature: Signature
  readonly first: Registers
  readonly flags: Set<string>
}

function takeBits({ leaf: number, subleaf, register, bits }: BitRow, leaf: RegisterSource['leaf'], flags: Set<string>): void {
  const value = leaf(number, subleaf)[register]
  for (const [at, flag] of bits) if (bit(value, at)) flags.add(flag)
}

function avx({ source, vendor, signature: { family, model }, first: { ecx }, flags }: Facts): void {
  // FMA needs no state of its own that a system would have to save.
  if (bit(ecx, 12) && bit(ecx, 27)) flags.add('FMA3')
  const isSaved = bit(ecx, 26) && bit(ecx, 27) && bit(ecx, 28) && (source.xcr0() & 6) === 6
  if (!isSaved) return
  flags.add('AVX')
  const isBeforeHaswell = vendor === 'Intel' && family === 6 && model < 60
  const isBeforeZen2 = vendor === 'AMD' && (family < 23 || (family === 23 && model < 49))
  if (isBeforeHaswell || isBeforeZen2) flags.add('AVXSLOW')
}

function others(facts: Facts): void {
  const { source, has, vendor, signature, first, flags } = facts
  const { leaf } = source
  if ((vendor === 'Intel' || vendor === 'AMD') && bit(first.edx, 28) && has(4) && threadsPerCore(facts) > 1) flags.add('HTT')
  if (flags.has('KEYLOCKER') && has(0x19) && (leaf(0x19).ebx & 5) === 5) flags.add('KEYLOCKERW')
  if (has(0x20) && leaf(0x4000_000c).ebx === hyperVTrustDomain) flags.add('TDX_GUEST')
  if (has(0x21)) {
    const { ebx, ecx, edx } = leaf(0x21)
    if (textIn(ebx, edx, ecx) === 'IntelTDX    ') flags.add('TDX_GUEST')
  }
  // These processors are not open to transient scheduler attacks, and say nothing of it.
  const { family, model } = signature
  const isSafe = family < 0x19 || (family === 0x1a && (model <= 0x4f || (model >= 0x60 && model <= 0x7f)))
  if (vendor === 'AMD' && isSafe) for (const flag of ['TSA_L1_NO', 'TSA_SQ_NO']) flags.add(flag)
}

function threadsPerCore({ source: { leaf }, has, vendor, signature, first }: Facts): number {
  if (!has(0xb)) {
    const logical = (first.ebx >>> 16) & 0xff
    return vendor === 'Intel' && logical > 1 ? Math.floor(logical / ((leaf(4).eax >>> 26) + 1)) : 1
  }
  const threads = leaf(0xb).ebx & 0xffff
  if (threads > 0) return threads
  if (vendor !== 'AMD' || signature.family < 23) return 1
  return has(0x8000_001e) ? ((leaf(0x8000_001e).ebx >>> 8) & 0xff) + 1 : 2
}

const counters = ['INSTRUCTIONS', 'CYCLES', 'REFCYCLES', 'TOPDOWN_SLOTS']

function performanceCounters({ source: { leaf }, has, flags }: Facts): void {
  if (!has(0xa)) return
  const { eax, ebx, edx } = leaf(0xa)
  const version = eax & 0xff
  if (version === 0) return
  const fixed = version > 1 ? edx & 0x1f : 0
  const there = ebx === 0 ? counters.slice(0, fixed === 3 || fixed === 4 ? fixed : 0) : counters.filter((_, at) => !bit(ebx, at))
  for (const counter of there) flags.add(`PMU_FIXEDCOUNTER_${counter}`)
}

/** What each level of x86-64 has beside that below it. */
const levelFlags = [
  ['CMOV', 'CMPXCHG8', 'X87', 'FXSR', 'MMX', 'SSE', 'SSE2'],
  ['CX16', 'LAHF', 'POPCNT', 'SSE3', 'SSE4', 'SSE42', 'SSSE3'],
  ['AVX', 'AVX2', 'BMI1', 'BMI2', 'F16C', 'FMA3', 'LZCNT', 'MOVBE', 'OSXSAVE'],
  ['AVX512F', 'AVX512BW', 'AVX512CD', 'AVX512DQ', 'AVX512VL'],
]

function levels(flags: Set<string>): void {
  if (!flags.has('SYSEE') && !flags.has('SYSCALL')) return
  for (const [at, wanted] of levelFlags.entries()) {
    if (!wanted.every(flag => flags.has(flag))) return
    flags.add(`X86_64_V${at + 1}`)
  }
}

/** Bytes of memory that enclaves may have. */
export function enclaveBytes({ leaf }: RegisterSource, flags: ReadonlySet<string>): number {
  if (!flags.has('SGX')) return 0
  let bytes = 0
  for (let subleaf = 2; subleaf < 10; subleaf += 1) {
    const { eax, ecx, edx } = leaf(sgxLeaf, subleaf)
    const type = eax & 0xf
    if (type === 0) break
    if (type === 1) bytes += ((ecx & 0xffff_f000) >>> 0) + (edx & 0xf_ffff) * 2 ** 32
  }
  return bytes
}
